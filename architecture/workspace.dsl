workspace "crm_lib" "From any CRM export to honest win probabilities, reasons, forecasts, dashboards, reports and a scoring service." {

    model {
        analyst = person "Analyst" "Explores in JupyterLab, reruns the pipeline, reads what it found."
        manager = person "Sales manager" "Reads the reports, opens the dashboards, changes a deal to see what it would do."
        operator = person "Operator" "Keeps the services up, promotes and rolls back models."
        program = softwareSystem "Programs of the company" "CRM automations, spreadsheets, jobs at night that want scores." "Outside"
        crm = softwareSystem "CRM" "Exports as files, or a database that is read and never written." "Outside"

        crmlib = softwareSystem "crm_lib" "Scores the open pipeline and forecasts revenue, and shows its working." {
            notebooks = container "JupyterLab" "Every chapter and every stage as a notebook that runs." "jupyterlab"
            stages = container "Pipeline" "A parameterized notebook per stage: ingest to publish." "papermill, ploomber, DVC"
            dashboards_server = container "Dashboards" "Pipeline, Deal desk and Health behind a login." "voila"
            scoring_service = container "Scoring service" "Scores, reasons and the forecast for programs." "fastapi, uvicorn"
            project = container "Project folder" "Tables as received, what every stage made, reports, published bundles." "files, DVC cache" "Store"
            tracking = container "Tracking and registry" "Every run and every model version." "MLflow on SQLite or a server" "Store"
            access_files = container "Users and keys" "Who may look and at which rows, hashed." "private files" "Store"

            library = container "Library" "One room per concern; a room imports lower rooms only." "Python" {
                base = component "base" "What every other room stands on: files that are whole, a schema, a calendar, measures."
                simulation = component "simulation" "A CRM whose true probabilities are known, so that calibration can be tested against the truth."
                ingestion = component "ingestion" "Any export becomes one table of deals, with everything that was mended or found named."
                features = component "features" "What each deal looked like on a day, built from what was known on that day."
                leakage = component "leakage" "A column that knows the future is found before a model can learn from it."
                models = component "models" "From daily hazards to the chance of a win at any horizon, with the baselines beside it."
                evaluation = component "evaluation" "Rolling-origin evaluation: fitted on what was known at a past month end, held against what came."
                scoring = component "scoring" "Every open deal with its chances, value, grade and reasons; or one deal, entered or changed."
                forecasting = component "forecasting" "The revenue of the month and the quarters to come, beside the record of the same method."
                reporting = component "reporting" "Pages that a manager can read without code, with pictures that have units."
                registry = component "registry" "Which model is in use, why, and what has been published with it."
                monitoring = component "monitoring" "Whether what was said still holds, and who is told when it does not."
                access = component "access" "Who may look, and at which rows."
                service = component "service" "Scores, reasons and the forecast for programs, over HTTP."
                dashboards = component "dashboards" "Three pages behind a login, which read the published bundle and nothing else."
                pipeline = component "pipeline" "The pipeline written once, the command line, and the door for Python."
            }
        }

        crm -> stages "exports, or is queried by" "CSV, Excel, SQL"
        analyst -> notebooks "explores in"
        analyst -> stages "reruns" "dvc repro"
        manager -> dashboards_server "opens" "HTTPS"
        program -> scoring_service "asks, with a key" "HTTPS, JSON"
        operator -> stages "promotes with" "crm"
        notebooks -> library "runs"
        stages -> library "runs"
        dashboards_server -> library "runs"
        scoring_service -> library "runs"
        stages -> project "reads and writes"
        stages -> tracking "logs runs, registers models"
        dashboards_server -> project "reads the published bundle"
        scoring_service -> project "reads the published bundle"
        dashboards_server -> access_files "asks who may look"
        scoring_service -> access_files "asks whose key it is"

        simulation -> base "writes tables with the schema of"
        ingestion -> simulation "restores the sample from"
        features -> ingestion "reads the histories of"
        leakage -> features "rebuilds on cut data"
        models -> features "reads the states and exposure of"
        evaluation -> models "fits and judges"
        scoring -> leakage "leaves out what was found by"
        scoring -> models "asks for chances"
        forecasting -> evaluation "stands at the origins of"
        forecasting -> scoring "adds up the values of"
        reporting -> forecasting "tells and draws what was found by"
        registry -> evaluation "records the choice of"
        registry -> scoring "publishes the scores of"
        monitoring -> registry "reads what was published by"
        monitoring -> reporting "draws with"
        access -> registry "limits the rows of the bundle of"
        service -> access "opens its door by"
        dashboards -> access "opens its door by"
        dashboards -> reporting "draws with"
        pipeline -> service "starts"
        pipeline -> monitoring "tells people through"
        pipeline -> dashboards "starts"

        deploymentEnvironment "One machine" {
            deploymentNode "A machine of the company" "Debian or Ubuntu, Python 3.11, two cores" {
                deploymentNode "crm dashboards" "A process behind a reverse proxy" {
                    containerInstance dashboards_server
                }
                deploymentNode "crm serve" "A process per worker" {
                    containerInstance scoring_service
                }
                deploymentNode "dvc repro" "By hand or by a timer" {
                    containerInstance stages
                }
                deploymentNode "Disk" "Backed up" {
                    containerInstance project
                    containerInstance tracking
                    containerInstance access_files
                }
            }
        }

        deploymentEnvironment "Containers" {
            deploymentNode "Docker Compose" "docker-compose.yml; each node is a service of it" {
                deploymentNode "caddy" "TLS; alone open to other machines" "Caddy" {
                    infrastructureNode "Reverse proxy" "HTTPS to the dashboards and the service"
                }
                deploymentNode "dashboards" "crm dashboards" "the image of crm_lib" {
                    containerInstance dashboards_server
                }
                deploymentNode "api" "crm serve" "the image of crm_lib" {
                    containerInstance scoring_service
                }
                deploymentNode "worker" "crm retrain --if-due, every day" "the image of crm_lib" {
                    containerInstance stages
                }
                deploymentNode "crm" "The command line, for users and keys" "the image of crm_lib" {
                    containerInstance access_files
                }
                deploymentNode "mlflow" "Behind a login" "the image of crm_lib" {
                    containerInstance tracking
                }
                deploymentNode "postgres" "Tables of MLflow and of tuning" "PostgreSQL" {
                    infrastructureNode "Databases" "crm, mlflow, mlflow_auth, tuning"
                }
                deploymentNode "redis" "What workers share" "Redis" {
                    infrastructureNode "Counts and answers" "Not needed: without it each machine counts for itself"
                }
                deploymentNode "s3" "Files of models, and DVC's remote" "SeaweedFS, the image of crm_lib" {
                    infrastructureNode "Buckets" "dvc, mlflow"
                }
            }
        }
    }

    views {
        systemContext crmlib "context" "Who uses crm_lib, and what it reads." {
            include *
            autoLayout lr 380 140
        }
        container crmlib "containers" "What runs, and what is kept." {
            include *
            autoLayout lr 380 140
        }
        component library "components" "The rooms of the library; an arrow that follows from others is left out." {
            include *
            exclude notebooks
            exclude stages
            exclude dashboards_server
            exclude scoring_service
            autoLayout tb 180 160
        }
        deployment crmlib "One machine" "deployment" "Everything on one machine." {
            include *
            autoLayout lr 380 140
        }
        deployment crmlib "Containers" "compose" "The same in containers, with what they share." {
            include *
            autoLayout lr 380 140
        }
        styles {
            element "Element" {
                color "#1f2933"
                background "#e8eef4"
            }
            element "Person" {
                shape person
                background "#cfe0ef"
            }
            element "Outside" {
                background "#e4e4e4"
            }
            element "Store" {
                shape cylinder
                background "#f3e9d2"
            }
        }
    }
}
