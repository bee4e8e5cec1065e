# SPDX-License-Identifier: Apache-2.0
"""The OpenHands dialect's envelope: routes, keys, errors, the queue."""
import json
import socket
import threading

from conftest import wait_until


def detail(agent, body, status):
    r = agent.post("/execute_action", body)
    assert r.status == status, r.body
    return r.json()


def test_alive(agent):
    r = agent.get("/alive")
    assert (r.status, r.json()) == (200, {"status": "ok"})


def test_server_info(agent):
    agent.run("true")
    r = agent.get("/server_info").json()
    assert set(r) == {"uptime", "idle_time", "resources"}
    assert 0 <= r["idle_time"] <= r["uptime"]
    assert set(r["resources"]) == {"cpu_percent", "memory", "disk", "io"}
    assert set(r["resources"]["memory"]) == {"rss", "vms", "percent"}
    assert set(r["resources"]["disk"]) == {"total", "used", "free", "percent"}
    assert set(r["resources"]["io"]) == {"read_bytes", "write_bytes"}
    assert r["resources"]["memory"]["rss"] > 0 and r["resources"]["disk"]["total"] > 0


def test_the_whole_answer_of_a_command(agent):
    r = agent.run("echo text", timeout=120.0, is_input=False, thought="", blocking=False,
                  is_static=False, cwd=None, hidden=False, confirmation_state="confirmed",
                  security_risk=-1)
    assert r == {
        "message": "Command `echo text` executed with exit code 0.",
        "observation": "run",
        "content": "text",
        "extras": {
            "command": "echo text",
            "metadata": {
                "exit_code": 0, "pid": -1, "username": "tester",
                "hostname": socket.gethostname().split(".")[0],
                "working_dir": str(agent.work),
                "py_interpreter_path": r["extras"]["metadata"]["py_interpreter_path"],
                "prefix": "", "suffix": "\n[The command completed with exit code 0.]"},
            "hidden": False},
        "success": True}


def test_the_python_of_the_shells_path(fresh):
    folder = fresh.work / "bin"
    folder.mkdir()
    r = fresh.run("PATH=/nothing")
    assert r["extras"]["metadata"]["py_interpreter_path"] == ""
    (folder / "python").write_text("")
    assert fresh.run(f"PATH=/x:{folder}:/usr/bin")["extras"]["metadata"][
        "py_interpreter_path"] == ""
    (folder / "python").chmod(0o755)
    assert fresh.run(":")["extras"]["metadata"]["py_interpreter_path"] == f"{folder}/python"
    assert fresh.run("PATH=bin:/usr/bin")["extras"]["metadata"][
        "py_interpreter_path"] == f"{folder}/python"


def test_requests_that_do_not_fit(agent):
    r = detail(agent, {}, 422)
    assert r == {"detail": "Invalid request parameters", "errors":
                 "[{'type': 'missing', 'loc': ('body', 'action'), 'msg': 'Field required', "
                 "'input': {}}]"}
    r = detail(agent, {"action": [1, 2.5, None, True, "it's"]}, 422)
    assert r["errors"] == ("[{'type': 'dict_type', 'loc': ('body', 'action'), 'msg': "
                           "'Input should be a valid dictionary', "
                           "'input': [1, 2.5, None, True, \"it's\"]}]")
    assert detail(agent, [], 422)["detail"] == "Invalid request parameters"
    assert "json_invalid" in detail(agent, "{not json", 422)["errors"]


def test_unknown_actions_and_arguments(agent):
    def internal(event):
        text = detail(agent, {"action": event}, 500)["detail"]
        assert text.startswith("Internal server error: "), text
        return text[len("Internal server error: "):]
    assert internal({"action": "bogus"}).startswith(
        "'action['action']='bogus'' is not defined. Available actions: dict_keys(['message', ")
    assert internal({"action": 5}).startswith("'action['action']=5' is not defined.")
    assert internal({"observation": "run"}) == "400: Invalid action type"
    assert internal({"x": "y"}) == "Unknown event type: {'x': 'y'}"
    assert internal({"action": "run", "args": {"command": "ls", "nope": 1}}) == (
        "action={'action': 'run', 'args': {'command': 'ls', 'nope': 1}} has the wrong arguments: "
        "CmdRunAction.__init__() got an unexpected keyword argument 'nope'")
    assert internal({"action": "run", "args": {}}).endswith(
        "CmdRunAction.__init__() missing 1 required positional argument: 'command'")
    assert internal({"action": "run"}).endswith("argument: 'command'")
    assert internal({"action": "write", "args": {"path": "x"}}).endswith("argument: 'content'")
    assert internal({"action": "think", "args": {"thought": "x"}}) == \
        "'ActionExecutor' object has no attribute 'think'"
    assert "wrong arguments" in internal({"action": "run", "args": {"command": "ls"},
                                          "timeout": "soon"})
    assert internal({"action": "run_ipython", "args": {"code": "1"}}) == \
        "JupyterRequirement not found. Unable to run IPython action."


def test_arguments_of_older_clients(agent):
    r = agent.run("echo old", keep_prompt=True, is_confirmed="confirmed", timestamp="2024",
                  task_completed=None, security_risk="high")
    assert r["content"] == "old"


def test_features_that_are_missing(agent):
    assert agent.action("browse", url="http://x") == {
        "message": "Browser functionality is not supported or disabled.",
        "observation": "error",
        "content": "Browser functionality is not supported or disabled.",
        "extras": {"error_id": ""}}
    assert agent.action("browse_interactive", browser_actions="x")["observation"] == "error"
    assert agent.action("edit", path="/x", command="create")["extras"]["error_id"] == \
        "AGENT_ERROR$BAD_ACTION"


def test_wrong_types_are_errors_not_crashes(agent):
    for value in (5, None, [], {}, True):
        r = agent.run(value)
        assert r["observation"] == "error", r
        assert agent.action("read", path=value)["observation"] == "error"
        assert agent.action("write", path=value, content=value)["observation"] == "error"
    assert agent.run("echo fine")["content"] == "fine"


def test_routes(agent):
    r = agent.get("/nothing")
    assert (r.status, r.json()) == (404, {"detail": "Not Found"})
    r = agent.get("/execute_action")
    assert (r.status, r.json()) == (405, {"detail": "Method Not Allowed"})


def test_actions_take_turns_and_other_routes_go_on(agent):
    order = []

    def act(n):
        c = agent.other()
        agent.run(f"sleep 0.2; echo {n} >> {agent.folder}/order", connection=c)
        order.append(n)
        c.close()
    threads = [threading.Thread(target=act, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    assert agent.exec(["true"])["exit_code"] == 0
    assert agent.get("/alive").status == 200
    for t in threads:
        t.join()
    written = [int(x) for x in (agent.folder / "order").read_text().split()]
    assert sorted(written) == [0, 1, 2, 3] and written == order


def test_an_action_whose_client_has_gone(agent):
    """The running one goes on and the shell with it; a waiting one is dropped."""
    def send(command):
        s = agent.raw()
        body = json.dumps({"action": {"action": "run", "args": {"command": command}}})
        s.sendall(f"POST /execute_action HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                  f"Content-Type: application/json\r\n\r\n{body}".encode())
        return s
    begun, done = agent.folder / "begun", agent.folder / "done"
    first = send(f"touch {begun}; sleep 0.5; kept=yes; touch {done}")
    wait_until(begun.exists)
    second = send(f"touch {agent.folder}/never")
    first.close()
    second.close()
    wait_until(done.exists)
    assert agent.run("echo $kept")["content"] == "yes"
    assert not (agent.folder / "never").exists()
