"""The documents: their commands work in the order in which they stand, for somebody who pastes them into a shell, and
what is printed below them is what comes."""
import json
import re
import shutil
import subprocess

import pytest

from harness import REPOSITORY

BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)


def blocks(document):
    return BLOCK.findall((REPOSITORY / document).read_text())


@pytest.fixture
def shell(start, tmp_path):
    """Runs a block as if it stood in the checkout; the answers to its curl lines. A sleep lasts until all jobs have ended."""
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    daemon = start()
    c = daemon.client()
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")

    def run(block):
        return "".join(run_part(part) for part in re.split(r"^sleep 1.*\n", block, flags=re.MULTILINE))

    def run_part(block):
        script = re.sub(r"\bcurl\b", "curl -sS", block.replace("localhost:8420", f"127.0.0.1:{daemon.port}"))
        script = re.sub(r"--json (?=')", "-H 'Content-Type: application/json' --data ", script)  # curl before 7.82
        done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and '"code":"' not in done.stdout, (block, done.stdout, done.stderr)
        for job in c.get("/v1/jobs")["jobs"]:
            c.ended(job["id"], ("succeeded", "cancelled"))
        return done.stdout

    return run


@pytest.mark.parametrize("document", ["docs/guide-tabular.md", "docs/data.md", "docs/explain.md", "docs/guide-jobs.md", "docs/guide-clients.md"])
def test_commands_in_their_order(shell, document):
    """Those of data.md sent four different bodies to one name; those of explain.md asked a model that was still to train."""
    ran = [shell(block) for kind, block in blocks(document) if kind == "sh"]
    assert len(ran) > 3 and all(ran)


def test_the_read_me(shell):
    for block in [b for kind, b in blocks("README.md") if kind == "sh" and "localhost:8420" in b]:
        assert shell(block)


def test_the_drift_that_the_guide_shows(shell):
    """It showed two rows and half of them unknown, where one had been asked."""
    for kind, block in blocks("docs/guide-tabular.md"):
        if kind == "sh":
            answer = shell(block)
        elif '"unknown_share"' in block:
            found = json.loads(answer)
            hair = next(i for i in found["inputs"] if i["name"] == "hair_color")
            assert f'"rows":{found["rows"]},"trained_rows":{found["trained_rows"]}' in block
            assert f'"unknown_share":{hair["unknown_share"]:g},' in block
            return
    pytest.fail("the guide shows no drift")
