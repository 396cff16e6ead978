# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service as other programs see it. It runs as a program, and the runs that it begins are real."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import time
import urllib.parse

import pytest
from ansible_collections.deter.benito.tests.unit.benito.serve.program import LIMIT_S, ROOT, Service, basic, new_service, wait_until

ENDED = ("successful", "failed", "interrupted", "cancelled")
TOPOLOGY = """<experiment><version>1.0</version><substrates><name>lan</name></substrates>
<elements><computer><name>a</name><interface><name>i</name><substrate>lan</substrate></interface>
<attribute><attribute>containers:node_type</attribute><value>process</value></attribute></computer></elements></experiment>"""


@pytest.fixture(scope="module")
def service(created, home):
    """Return the service of a BENITO_HOME with the experiment DeterTest/first, which is swapped out."""
    found = Service(home, home.parent).begin()
    yield found
    found.kill()


def ended(service, number):
    wait_until(f"run {number} has ended", lambda: service.job(number)["status"] in ENDED)
    return service.job(number)


def test_every_request_needs_the_token_but_the_sign_of_life(service):
    for path in ("/api/v1/experiments", "/metrics", "/RPC2", "/api/v1/openapi.json", "/no/such/page", "/showexp.php3?pid=DeterTest&eid=first"):
        assert service.ask("GET", path, token="")[0] == 401
        assert service.ask("GET", path, token=service.token + "x")[0] == 401
    assert service.ask("GET", "/healthz", token="")[::2] == (200, "ok\n")


def test_a_client_that_only_knows_basic_sends_the_token_as_password(service):
    assert service.ask("GET", "/metrics", token="", Authorization=basic(service.token))[0] == 200
    for wrong in (basic("x" + service.token), "Basic !!!", "Basic", "Bearer", "", f"Digest {service.token}"):
        assert service.ask("GET", "/metrics", token="", Authorization=wrong)[0] == 401


def test_a_page_of_another_site_that_has_our_address_for_its_name_is_refused(service):
    assert service.ask("GET", "/api/v1/experiments", Host="evil.example")[0] == 400
    assert service.ask("GET", "/api/v1/experiments", Host=f"localhost:{service.port}")[0] == 200


def test_the_token_and_all_that_the_service_writes_are_for_its_user_alone(service):
    folder = service.home / "grandstand"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}


def test_experiments_are_listed_and_shown(service):
    found = {each["experiment"]: each for each in service.get("/api/v1/experiments")}
    assert found["DeterTest/first"]["state"] == "swapped"
    shown = service.get("/api/v1/experiments/DeterTest/first")
    assert (shown["event"], shown["state"], shown["nodes"], shown["run"]["playbook"]) == ("snapshot", "swapped", {}, "containerize")
    assert service.ask("GET", "/api/v1/experiments/DeterTest/second")[::2] == (404, {"detail": "there is no experiment DeterTest/second"})
    assert service.ask("GET", "/api/v1/experiments/DeterTest/first/nodes/n-0")[0] == 404


def test_an_experiment_is_created_by_a_run_whose_output_can_be_read(service):
    wanted = {"experiment": "DeterTest/team/posted", "topology": TOPOLOGY, "settings": {"image": False, "packing": 3}}
    status, _headers, job = service.ask("POST", "/api/v1/experiments", wanted)
    assert status == 202, job
    done = ended(service, job["number"])
    assert (done["status"], done["exit_status"], done["playbook"]) == ("successful", 0, "containerize")
    assert "Benito experiment DeterTest/team/posted successfully created!" in service.get(f"/api/v1/runs/{job['number']}/output")
    wait_until("it is listed", lambda: "DeterTest/team/posted" in [each["experiment"] for each in service.get("/api/v1/experiments")])
    assert service.get("/api/v1/experiments/DeterTest/posted?group=team")["experiment"] == "DeterTest/team/posted"
    assert service.ask("POST", "/api/v1/experiments", wanted)[::2] == (409, {"detail": "experiment DeterTest/team/posted exists already"})


def test_creation_tells_the_address_of_the_service_which_leads_to_the_experiment(service, benito):
    done = benito("create", "DeterTest/told", str(topology_file(service)), "--no-image")
    url = f"http://127.0.0.1:{service.port}/showexp.php3?pid=DeterTest&eid=told"
    assert f"At {url}" in done.stdout.splitlines(), done.stdout
    status, headers, _text = service.ask("GET", url.removeprefix(f"http://127.0.0.1:{service.port}"))
    assert (status, headers["location"]) == (303, "/api/v1/experiments/DeterTest/told")


def topology_file(service):
    path = service.folder / "topology.xml"
    path.write_text(TOPOLOGY)
    return path


def test_a_run_that_fails_says_why(service):
    status, _headers, job = service.ask("POST", "/api/v1/experiments/DeterTest/first/runs", {"playbook": "swapin"})
    assert status == 202
    done = ended(service, job["number"])
    assert done["status"] == "failed" and done["exit_status"] != 0
    assert any("pnode_pool" in failure["message"] for failure in done["failures"]), done


@pytest.mark.parametrize("wanted", [
    {"playbook": "swapin", "variables": {"pid": "Other"}},
    {"playbook": "swapin", "variables": {"pnode_types": ["{{ lookup('pipe', 'id') }}"]}},
    {"playbook": "swapin", "variables": {"pnode_types": [{"{% set x %}": 1}]}},
    {"playbook": "local_testbed"},
    {"playbook": "swapin", "more": 1},
    {},
])
def test_a_run_that_is_none_is_refused_and_nothing_is_queued(service, wanted):
    before = len(service.get("/api/v1/runs"))
    assert service.ask("POST", "/api/v1/experiments/DeterTest/first/runs", wanted)[0] == 422
    assert len(service.get("/api/v1/runs")) == before


def test_runs_of_an_experiment_wait_for_each_other_and_one_that_waits_can_be_cancelled(service):
    numbers = [service.ask("POST", "/api/v1/experiments/DeterTest/first/runs", {"playbook": "swapout"})[2]["number"] for _time in range(3)]
    assert service.ask("DELETE", f"/api/v1/runs/{numbers[2]}")[2]["status"] == "cancelled"
    first, second, third = (ended(service, number) for number in numbers)
    assert (first["status"], second["status"], third["status"], third["began"]) == ("successful", "successful", "cancelled", "")
    assert first["ended"] <= second["began"]
    assert service.ask("DELETE", f"/api/v1/runs/{numbers[0]}")[0] == 409 and service.ask("DELETE", "/api/v1/runs/1")[0] == 404


def test_a_run_can_be_interrupted(service):
    number = service.ask("POST", "/api/v1/experiments/DeterTest/first/runs", {"playbook": "swapout"})[2]["number"]
    wait_until("it runs", lambda: service.job(number)["status"] == "running")
    service.ask("DELETE", f"/api/v1/runs/{number}")
    assert ended(service, number)["status"] == "interrupted"


def test_a_request_that_is_too_large_is_refused(service):
    with socket.create_connection(("127.0.0.1", service.port), LIMIT_S) as sock:
        head = f"POST /api/v1/experiments HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.token}\r\nContent-Length: {(4 << 20) + 1}\r\n\r\n"
        sock.sendall(head.encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert "faultCode" in service.ask("POST", "/RPC2", b"x" * ((64 << 10) + 1))[2]


def test_prometheus_reads_experiments_and_durations(service):
    lines = service.get("/metrics").splitlines()
    assert any(line.startswith('benito_experiments{state="swapped"} ') for line in lines)
    assert any(line.startswith('benito_run_duration_seconds_count{playbook="swapout",status="successful"} ') for line in lines)


def test_events_are_sent_as_they_come(service):
    with socket.create_connection(("127.0.0.1", service.port), LIMIT_S) as sock, sock.makefile("rb") as stream:
        head = f"GET /api/v1/experiments/DeterTest/first/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.token}\r\n\r\n"
        sock.sendall(head.encode())
        number = service.ask("POST", "/api/v1/experiments/DeterTest/first/runs", {"playbook": "swapout"})[2]["number"]
        seen, deadline = [], time.monotonic() + LIMIT_S
        for line in stream:
            assert time.monotonic() < deadline, f"no end of the run within {LIMIT_S:.0f} s: {seen}"
            if line.startswith(b"data: "):
                seen.append(json.loads(line[6:]))
                if seen[-1]["event"] == "run_ended":
                    break
    assert seen[0]["event"] == "snapshot" and "run_began" in [event["event"] for event in seen]
    ended(service, number)


def test_the_original_asks_for_all_names_over_xml_rpc(service):
    import xmlrpc.client

    secret = urllib.parse.quote(service.token, safe="")
    server = xmlrpc.client.ServerProxy(f"http://any:{secret}@127.0.0.1:{service.port}/RPC2")
    assert "west-1.first.DeterTest" in server.experiment.extra_nodes("DeterTest", "first")


def test_there_is_one_service_for_a_benito_home(service):
    done = subprocess.run(**service.command(), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1 and done.stderr == f"benito: a service for {service.home} runs already (its lock is {service.home}/grandstand/lock)\n"


@pytest.fixture
def other():
    """Return a service of its own, not begun."""
    with new_service() as found:
        yield found


def test_a_run_outlives_a_service_that_is_killed_and_the_next_one_goes_on_with_the_queue(other):
    other.begin()
    numbers = [other.ask("POST", "/api/v1/experiments", {"experiment": f"P/{name}", "topology": TOPOLOGY, "settings": {"image": False}})[2]["number"]
               for name in ("one", "one")]
    wait_until("it runs", lambda: other.job(numbers[0])["status"] == "running")
    other.kill()
    other.begin()
    assert [ended(other, number)["status"] for number in numbers] == ["successful", "failed"]
    assert "exists already" in other.job(numbers[1])["failures"][0]["message"]


def test_a_run_that_has_not_begun_to_speak_when_the_service_is_killed_is_not_run_twice(other):
    other.begin()
    number = other.ask("POST", "/api/v1/experiments", {"experiment": "P/one", "topology": TOPOLOGY, "settings": {"image": False}})[2]["number"]
    other.kill()
    other.begin()
    assert ended(other, number)["status"] == "successful"
    assert other.get(f"/api/v1/runs/{number}/output").count("successfully created") == 1


def test_the_service_ends_at_once_and_leaves_nothing_that_says_it_runs(other):
    other.begin()
    with socket.create_connection(("127.0.0.1", other.port), LIMIT_S) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\n")  # a client that has not ended its request
        assert other.end() == 0
    assert not (other.home / "grandstand" / "service.json").exists() and not (other.home / "grandstand.sock").exists()
    assert "Traceback" not in other.log.read_text()


def test_a_folder_that_cannot_be_written_is_an_answer_and_ends_nothing(other):
    other.begin()
    jobs = other.home / "grandstand" / "jobs"
    jobs.rmdir()
    jobs.write_text("no folder")  # stands for a full disk: root may write everywhere
    wanted = {"experiment": "P/one", "topology": TOPOLOGY, "settings": {"image": False}}
    status, _headers, answer = other.ask("POST", "/api/v1/experiments", wanted)
    assert status == 500 and answer["detail"].startswith("the controller cannot do it: ")
    jobs.unlink()
    jobs.mkdir(mode=0o700)
    assert ended(other, other.ask("POST", "/api/v1/experiments", wanted)[2]["number"])["status"] == "successful"
    assert "Traceback" not in other.log.read_text()


def test_a_port_that_is_taken_and_settings_that_are_wrong_are_said_in_a_sentence(other):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", other.port))
        taken.listen()
        done = subprocess.run(**other.command(), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1 and done.stderr.startswith(f"benito: port {other.port} of 127.0.0.1 cannot be had: Address already in use; choose another one")
    (other.home / "grandstand.yml").write_text("port: many\nhosts: ['*']\nurl: x\n")
    done = subprocess.run(**other.command("--notify-url", "ftp://x"), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 4 and "Traceback" not in done.stderr, done.stderr


def test_a_token_that_others_can_read_is_refused(other):
    (other.home / "grandstand").mkdir(mode=0o700)
    (other.home / "grandstand" / "token").write_text("x" * 43)
    os.chmod(other.home / "grandstand" / "token", 0o644)
    done = subprocess.run(**other.command(), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1 and "can be read by others" in done.stderr


def test_the_examples_of_the_documentation_work(service):
    text = (ROOT / "docs" / "service.md").read_text()
    commands = [line.strip() for line in text.splitlines() if line.startswith("    curl ")]
    assert len(commands) == 4
    for command in commands:
        command = command.replace(":8460", f":{service.port}").replace("-sN", "-sN --max-time 1")
        words = ["sh", "-c", f"TOKEN=$(cat {service.home}/grandstand/token); {command}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert '"experiment":"DeterTest/first"' in done.stdout.replace(": ", ":"), (command, done)
    for name in service.get("/metrics").splitlines():
        if name.startswith("# TYPE "):
            assert f"`{name.split()[2]}`" in text


def test_every_request_of_the_documentation_exists_and_every_route_is_documented(service):
    paths = service.get("/api/v1/openapi.json")["paths"]
    text = (ROOT / "docs" / "service.md").read_text()
    for path in paths:
        short = path.replace("{pid}", "PID").replace("{eid}", "EID").replace("{node}", "NODE").replace("{number}", "NUMBER")
        assert short in text or short.replace("/api/v1/experiments/", "…/") in text or short == "/RPC2", short
