-- PostgreSQL makes the database crm by itself; these stand beside it.
CREATE DATABASE mlflow;
CREATE DATABASE mlflow_auth;
CREATE DATABASE tuning;
