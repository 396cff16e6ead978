# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's HTTP interface under requests that schemathesis makes of its description: right ones, nearly right ones and wrong ones.

BENITO_FUZZ is the number of requests; ``make soak`` has 100,000 of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import schemathesis
from ansible_collections.deter.benito.tests.unit.benito.serve.program import new_service
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

REQUESTS = int(os.environ.get("BENITO_FUZZ", "1000"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MOST_GROWTH_KB = 60_000
ENDLESS = "/api/v1/experiments/{pid}/{eid}/events"


@pytest.fixture
def service():
    """Return a service without experiments, so that nothing that is asked for can take a machine."""
    with new_service() as found:
        yield found.begin()


def memory_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1])


def ask(operation, number, headers):
    @settings(max_examples=number, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def examine(case):
        case.headers = {**(case.headers or {}), **headers}
        case.validate_response(case.call(timeout=20), checks=CHECKS)

    examine()


def test_no_request_makes_the_service_fail_or_grow_and_every_answer_is_as_described(service):
    headers = {"Authorization": f"Bearer {service.token}"}
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{service.port}/api/v1/openapi.json", headers=headers)
    operations = [operation for found in schema.get_all_operations() if (operation := found.ok()).path != ENDLESS]
    assert len(operations) >= 12
    for operation in operations:
        ask(operation, 5, headers)  # what is loaded at the first call is no growth
    before = memory_kb(service.process.pid)
    for operation in operations:
        ask(operation, REQUESTS // len(operations), headers)
    assert memory_kb(service.process.pid) - before < MOST_GROWTH_KB
    for job in service.get("/api/v1/runs"):
        if job["status"] == "queued":
            service.ask("DELETE", f"/api/v1/runs/{job['number']}")
    log = service.log.read_text()
    assert "Traceback" not in log and len(log.splitlines()) == 1, log
    assert service.end() == 0
