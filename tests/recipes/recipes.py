"""Runs each recipe of docs/guides/recipes.md as far as it can be run without the systems that it is for."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/guides/recipes.md").read_text()
ACTION = ROOT / "clients/github-action"


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks of a section."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def holder(name: str) -> dict:
    """The public state of a lock."""
    with urllib.request.urlopen(f"{os.environ['GORILLA_URL']}/api/v1/locks/{name}") as answer:
        return json.load(answer)


class Sandbox(unittest.TestCase):
    """A folder with stand-ins, and programs that run in it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        self.environment["PYTHONUNBUFFERED"] = "1"
        for variable in ("GORILLA_API_KEY", "DJANGO_SETTINGS_MODULE"):
            self.environment.pop(variable, None)

    def stand_in(self, program: str, does: str = "") -> None:
        """Makes a program that notes its arguments and the fence of its lock. A name with a slash is in the folder."""
        path = self.folder / program if "/" in program else self.bin / program
        path.write_text(
            f'#!/bin/sh\necho "{Path(program).name} $* fence=$GORILLA_LOCK_FENCE" >>{self.folder}/ran\n{does}\n'
        )
        path.chmod(0o755)

    def ran(self) -> list[str]:
        """What the stand-ins have noted, with `fence=F` for any fence."""
        noted = self.folder / "ran"
        lines = noted.read_text().splitlines() if noted.exists() else []
        return [re.sub(r"fence=\d{16}$", "fence=F", line).replace("  ", " ") for line in lines]

    def run_in_folder(self, *command: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def sh(self, script: str, **variables: str) -> subprocess.CompletedProcess:
        return self.run_in_folder("sh", "-c", script, **variables)

    def eventually(self, what: str, condition) -> None:
        until = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.05)

    def schema(self, name: str, file: Path) -> None:
        """Checks a file against a schema that comes with check-jsonschema."""
        self.run_in_folder("check-jsonschema", "--builtin-schema", name, str(file))


class Recipes(Sandbox):
    def test_kubernetes(self) -> None:
        [text] = blocks("A Kubernetes CronJob in several clusters", "yaml")
        job = yaml.safe_load(text)
        self.assertEqual((job["apiVersion"], job["kind"]), ("batch/v1", "CronJob"))
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        [init], [container] = pod["initContainers"], pod["containers"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        mounts = [mount for one in (init, container) for mount in one["volumeMounts"]]
        self.assertTrue(all(mount["name"] in volumes for mount in mounts))
        self.assertEqual(container["command"][0], "/gorilla/gorilla")
        self.assertIn("/usr/local/bin/gorilla", (ROOT / "Dockerfile").read_text())
        self.stand_in("./nightly-report")
        self.stand_in("sleep", "exec /bin/sleep 1")
        command = ["gorilla", *container["command"][1:], *container["args"]]
        # Two clusters: each job succeeds, and one of them does the work.
        clusters = [
            subprocess.Popen(command, cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        self.assertEqual([cluster.wait(60) for cluster in clusters], [0, 0])
        self.assertEqual(self.ran(), ["nightly-report fence=F", "sleep 30 fence=F"])

    def test_gitlab(self) -> None:
        [text] = blocks("GitLab CI", "yaml")
        file = self.folder / ".gitlab-ci.yml"
        file.write_text(text)
        self.schema("vendor.gitlab-ci", file)
        self.stand_in("./deploy.sh")
        for line in yaml.safe_load(text)["deploy"]["script"]:
            self.sh(line, CI_PROJECT_PATH="shop/web", CI_PIPELINE_ID="7")
        self.assertEqual(self.ran(), ["deploy.sh fence=F"])

    def test_ansible(self) -> None:
        [command] = blocks("Ansible", "sh")
        [playbook] = blocks("Ansible", "yaml")
        (self.folder / "site.yml").write_text(playbook.replace("hosts: all", "hosts: all\n  connection: local"))
        (self.folder / "ansible.cfg").write_text("[defaults]\ninventory = ./hosts\n")
        (self.folder / "hosts").write_text(
            "".join(f"{host} ansible_python_interpreter={sys.executable}\n" for host in ("one", "two", "three"))
        )
        self.stand_in("./upgrade.sh")
        self.sh(command, USER="me", ANSIBLE_CONFIG="ansible.cfg", HOME=str(self.folder))
        self.assertEqual(self.ran(), ["upgrade.sh fence=F"] * 3)

    def test_terraform(self) -> None:
        [command] = blocks("Terraform", "sh")
        self.stand_in("terraform")
        self.sh(command)
        plan, apply = "plan -input=false -out=plan", "apply -input=false plan"
        self.assertEqual(self.ran(), [f"terraform {plan} fence=F", f"terraform {apply} fence=F"])

    def test_celery_beat(self) -> None:
        [command] = blocks("Celery beat", "sh")
        (self.folder / "shop.py").write_text("from celery import Celery\napp = Celery('shop', broker='memory://')\n")
        log = (self.folder / "log").open("w")
        self.addCleanup(log.close)
        beats = []
        for _ in range(2):
            script = f"exec {command.strip()}"
            beats.append(
                subprocess.Popen(["sh", "-c", script], cwd=self.folder, env=self.environment, stderr=log, stdout=log)
            )
            self.addCleanup(beats[-1].kill)
        begun = lambda: (self.folder / "log").read_text().count("is starting.")
        self.eventually("a beat runs", lambda: begun() == 1)
        self.eventually("the other waits", lambda: holder("celery-beat")["waiting"] == 1)
        owner = holder("celery-beat")["owner"]
        first, second = sorted(beats, key=lambda beat: not owner.endswith(f":{beat.pid}"))
        first.send_signal(signal.SIGTERM)
        first.wait(60)
        self.eventually("the other beat runs", lambda: begun() == 2)
        self.assertNotEqual(holder("celery-beat")["owner"], owner)
        second.send_signal(signal.SIGTERM)
        second.wait(60)

    def test_django(self) -> None:
        command, _ = blocks("Migrations of Django and Alembic", "sh")
        self.run_in_folder("django-admin", "startproject", "shop", ".")
        self.run_in_folder("python", "manage.py", "startapp", "goods")
        settings = self.folder / "shop/settings.py"
        settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", "INSTALLED_APPS = [\n    'goods',"))
        self.stand_in("gunicorn")
        containers = [
            subprocess.Popen(
                ["sh", "-c", command], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
            )
            for _ in range(3)
        ]
        said = [container.communicate(timeout=120)[0] for container in containers]
        self.assertEqual([container.returncode for container in containers], [0, 0, 0])
        self.assertEqual(sum("Applying contenttypes.0001_initial... OK" in text for text in said), 1, said)
        self.assertEqual(sum("No migrations to apply" in text for text in said), 2, said)
        self.assertEqual(self.ran(), ["gunicorn shop.wsgi fence="] * 3)

    def test_alembic(self) -> None:
        _, command = blocks("Migrations of Django and Alembic", "sh")
        self.run_in_folder("alembic", "init", "migrations")
        ini = self.folder / "alembic.ini"
        ini.write_text(re.sub(r"(?m)^sqlalchemy.url = .*", "sqlalchemy.url = sqlite:///shop.db", ini.read_text()))
        self.run_in_folder("alembic", "revision", "-m", "begin")
        [revision] = (self.folder / "migrations/versions").glob("*.py")
        table = 'op.execute("CREATE TABLE goods (name text)")'
        revision.write_text(
            re.sub(r"(def upgrade\(\).*?)pass", lambda found: found[1] + table, revision.read_text(), flags=re.DOTALL)
        )
        containers = [subprocess.Popen(["sh", "-c", command], cwd=self.folder, env=self.environment) for _ in range(3)]
        self.assertEqual([container.wait(120) for container in containers], [0, 0, 0])


class GitHubAction(Sandbox):
    def test_schemas(self) -> None:
        self.schema("vendor.github-actions", ACTION / "action.yml")
        [text] = blocks("GitHub Actions", "yaml")
        (self.folder / "deploy.yml").write_text(text)
        self.schema("vendor.github-workflows", self.folder / "deploy.yml")
        action = yaml.safe_load((ACTION / "action.yml").read_text())
        [job] = yaml.safe_load(text)["jobs"].values()
        [step] = [step for step in job["steps"] if step["uses"].endswith("github-action")]
        self.assertLessEqual(set(step["with"]), set(action["inputs"]))

    def act(self, code: int = 0, **inputs: str) -> tuple[dict[str, str], str]:
        """Runs the step of the action with these inputs, as a runner does. Answers its outputs and what it said."""
        action = yaml.safe_load((ACTION / "action.yml").read_text())
        [step] = action["runs"]["steps"]
        values = {name: str(about.get("default", "")) for name, about in action["inputs"].items()}
        values |= {"owner": "shop/web/7"} | {name.replace("_", "-"): value for name, value in inputs.items()}
        variables = {
            variable: re.sub(r"\$\{\{ inputs\.([\w-]+) }}", lambda found: values[found[1]], text)
            for variable, text in step["env"].items()
        }
        output = self.folder / "output"
        output.write_text("")
        done = self.run_in_folder(
            "bash",
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            step["run"],
            code=code,
            GITHUB_ACTION_PATH=str(ACTION),
            GITHUB_OUTPUT=str(output),
            **variables,
        )
        outputs = dict(re.findall(r"(?m)^(\w+)=(.*)$", output.read_text()))
        outputs |= {
            name: text for name, end, text in re.findall(r"(?ms)^(\w+)<<([^\n]+)\n(.*?)\n\2$", output.read_text())
        }
        return outputs, done.stdout

    def test_commands_run_under_the_lock(self) -> None:
        self.stand_in("./deploy.sh")
        outputs, _ = self.act(name="action-deploy", wait="1m", run='./deploy.sh "$GORILLA_LOCK_OWNER"\n./deploy.sh 2')
        self.assertEqual(self.ran(), ["deploy.sh shop/web/7 fence=F", "deploy.sh 2 fence=F"])
        self.assertEqual(outputs["acquired"], "true")
        self.assertRegex(outputs["fence"], r"^\d{16}$")
        self.assertFalse(holder("action-deploy")["held"])

    def test_several_locks(self) -> None:
        outputs, said = self.act(name="action-a\n\naction-b\n", run='echo "$GORILLA_LOCK_NAMES"')
        self.assertEqual(said, "action-a\naction-b\n")
        self.assertEqual(len(outputs["fence"].split("\n")), 2)

    def test_the_first_command_that_fails_ends_the_step(self) -> None:
        outputs, said = self.act(
            name="action-fails", run="echo before\n(exit 75)\necho after", if_not_acquired="skip", code=75
        )
        self.assertEqual((outputs["acquired"], said), ("true", "before\n"))

    def test_a_lock_that_others_have(self) -> None:
        busy = subprocess.Popen(["gorilla", "lock", "action-busy", "-q", "--", "sleep", "60"], env=self.environment)
        self.addCleanup(busy.wait)
        self.addCleanup(busy.terminate)
        self.eventually("the lock is held", lambda: holder("action-busy")["held"])
        outputs, said = self.act(name="action-busy", run="echo no", wait="0", if_not_acquired="skip")
        self.assertEqual(outputs, {"acquired": "false"})
        self.assertIn("::notice::", said)
        outputs, said = self.act(name="action-busy", run="echo no", wait="200ms", code=75)
        self.assertEqual((outputs, said), ({"acquired": "false"}, ""))

    def test_a_limit(self) -> None:
        self.act(name="action-limit", limit="3", run='gorilla status "$GORILLA_LOCK_NAME" | grep -q "of 3"')

    def test_inputs_that_make_no_sense(self) -> None:
        for inputs in ({"name": " \n"}, {"name": "a", "if_not_acquired": "ignore"}):
            _, said = self.act(run="echo no", code=64, **inputs)
            self.assertTrue(said.startswith("::error::"), said)
        # Nothing of an input is read as a script.
        self.act(name="$(touch stolen)", run="true")
        self.assertFalse((self.folder / "stolen").exists())


if __name__ == "__main__":
    unittest.main(verbosity=1, argv=[sys.argv[0], *sys.argv[1:]])
