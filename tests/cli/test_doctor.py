# SPDX-License-Identifier: Apache-2.0
"""cay doctor says what cay run then does."""
import json


def test_doctor_agrees_with_run(cay):
    works = cay("run", "--", "true").returncode == 0
    done = cay("doctor")
    assert done.returncode == (0 if works else 6)
    assert f"Isolation level: {'full' if works else 'unavailable'}" in done.out
    assert "FEATURE" in done.out


def test_doctor_json(cay):
    done = cay("doctor", "--json")
    report = json.loads(done.out)
    assert report["level"] in ("full", "unavailable")
    assert (done.returncode == 0) == (report["level"] == "full")
    names = [f["feature"] for f in report["features"]]
    assert len(names) >= 5 and len(set(names)) == len(names)
    for feature in report["features"]:
        assert feature["detail"]
        if not feature["ok"]:
            assert feature["fix"], feature
