# SPDX-License-Identifier: Apache-2.0
"""Processes in a sandbox through the API, and their output as it comes."""
import json


def path_of(box, rest):
    return f"/v1/sandboxes/{box['id']}{rest}"


class Events:
    """Server-sent events of a process's output."""

    def __init__(self, server, box, pid, query=""):
        self.connection = server.connection()
        self.connection.request("GET", path_of(box, f"/processes/{pid}/output{query}"),
                                headers={"X-API-Key": server.key})
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["Content-Type"].startswith("text/event-stream")

    def __iter__(self):
        event = {}
        for line in self.response:
            line = line.decode().rstrip("\n")
            if not line and event:
                yield event.get("event"), json.loads(event["data"]), event.get("id")
                event = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(":")
                event[name] = value.removeprefix(" ")

    def close(self):
        self.connection.close()


def start(server, box, command, **more):
    r = server.post(path_of(box, "/processes"), {"command": command, **more})
    assert r.status == 201, r.body
    return r.json()["pid"]


def first_line(server, box, pid):
    """Waits for the first line that a process prints."""
    events, text = Events(server, box, pid), ""
    for name, data, _ in events:
        assert name == "output", data
        text += data["data"]
        if "\n" in text:
            events.close()
            return text.split("\n")[0]
    raise AssertionError("it ended without a line")
