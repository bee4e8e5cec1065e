# SPDX-License-Identifier: Apache-2.0
"""The main job: the examples build and test this repository inside a sandbox."""
import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CAY_BUILD", TOP / "build"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["agent_session.sh", "run_session.sh"])
def test_example(name, tmp_path):
    env = {k: v for k, v in os.environ.items() if k not in ("CAY_URL", "CAY_API_KEY")}
    p = subprocess.run([TOP / "examples" / name], cwd=tmp_path, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=600,
                       env={**env, "CAY": str(BUILD / "cay")})
    assert p.returncode == 0, p.stdout
    assert f"+This line was written by examples/{name}." in p.stdout
    assert p.stdout.endswith("done\n")
