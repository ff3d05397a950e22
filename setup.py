"""Build crm_lib from settings.ini, the one place where its facts stand."""

import shutil
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

config = ConfigParser(delimiters=["="])
config.read(Path(__file__).parent / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]


class BuildWithProject(build_py):
    """Put what `crm new` lays out into the wheel; an editable installation reads it where it stands."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        top = Path(__file__).parent
        templates = Path(self.build_lib) / "crm_lib" / "templates"
        shutil.rmtree(templates / "project", ignore_errors=True)
        for pattern in (top / "crm_lib" / "templates" / "project_files.txt").read_text(encoding="utf-8").split():
            for path in sorted(top.glob(pattern)):
                target = templates / "project" / path.relative_to(top)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=cfg["git_url"],
    license="Apache-2.0",
    keywords=cfg["keywords"],
    packages=find_packages(include=["crm_lib", "crm_lib.*"]),
    package_data={
        "crm_lib": [
            "assets/*",
            "templates/*",
            "templates/dashboards/*",
            "templates/own_project/*",
            "templates/voila/templates/crm/*",
        ]
    },
    cmdclass={"build_py": BuildWithProject},
    python_requires=">=" + cfg["min_python"],
    install_requires=cfg["requirements"].split(),
    extras_require={"dev": cfg["dev_requirements"].split()},
    entry_points={
        "console_scripts": cfg["console_scripts"].split("\n"),
        "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"],
    },
)
