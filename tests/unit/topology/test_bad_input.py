# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All faults of a bad file are reported together, each with line and element, and never with a traceback."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology import xml_source
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl, read_topdl_text

COMPUTER = "<elements><computer><name>a</name>\n{}</computer></elements>"
LINK = "<substrates><name>link</name>\n{}</substrates>"


def problems_of(content):
    data = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(InputError) as caught:
        read_topdl_text(data, "bad.xml")
    return caught.value.problems


def experiment(text):
    return f"<experiment>\n{text}\n</experiment>"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
NOT_XML = {
    "an empty file": (b"", 0, "is empty"),
    "white space": (b" \n\t\n", 0, "is empty"),
    "prose": ("hello", 1, "Start tag expected"),
    "a NUL byte": (b"<experiment>\n\0</experiment>", 2, "NUL byte"),
    "a binary": (bytes(range(256)), 1, "not well-formed"),
    "a truncated file": ("<experiment>\n<substrates><name>a</na", 2, "not well-formed"),
    "a tag closed by another": ("<experiment>\n<version>1.0</elements>\n</experiment>", 2, "mismatch"),
    "two roots": ("<experiment/>\n<experiment/>", 2, "Extra content"),
    "bytes that are not of the encoding": (b"<experiment>\n<version>\xff</version></experiment>", 2, "not well-formed"),
    "an unknown encoding": ('<?xml version="1.0" encoding="klingon"?><experiment/>', 1, "encoding"),
    "a control character": ("<experiment>\n<version>\x07</version></experiment>", 2, "not well-formed"),
    "an undeclared entity": ("<experiment>\n&copy;</experiment>", 2, "Entity 'copy' not defined"),
    "an undeclared namespace": ("<experiment>\n<a:b/></experiment>", 2, "Namespace prefix a"),
    "a DTD": ('<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE experiment SYSTEM "file:///etc/passwd">\n<experiment/>', 3, "<!DOCTYPE"),
    "a billion laughs": (f"<!DOCTYPE x [{LAUGHS}]>\n<experiment>&l11;</experiment>", 1, "<!DOCTYPE"),
    "a billion laughs in an XML attribute": (f'<!DOCTYPE x [{LAUGHS}]>\n<experiment a="&l11;"/>', 1, "<!DOCTYPE"),
    "a DTD in UTF-16": ('<?xml version="1.0" encoding="utf-16"?>\n<!DOCTYPE x [<!ENTITY a "b">]><experiment/>'.encode("utf-16"), 2, "<!DOCTYPE"),
    "a DTD in UTF-7": ('<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x [<!ENTITY a "b">]><experiment a="&a;"/>', 0, "<!DOCTYPE"),
    "65 levels": (experiment("<a>" * 64 + "</a>" * 64), 2, "nested more than 64 deep"),
    "a hundred thousand levels": (experiment("<a>" * 100000 + "</a>" * 100000), 2, "nested more than 64 deep"),
    "a hundred thousand open tags": ("<experiment>" * 100000, 1, "nested more than 64 deep"),
    "more elements than a topology has": ("<experiment>" + "<a/>" * 3_000_001, 0, "has more than 3,000,000 elements"),
    "another document": ("<html><body/></html>", 1, "no topology in <html>"),
}


@pytest.mark.parametrize("case", NOT_XML)
def test_file_that_is_no_topology_is_refused_with_its_line(case):
    content, line, message = NOT_XML[case]
    first = problems_of(content)[0]
    assert message in first.message
    assert first.line == line
    assert first.file == "bad.xml"


INVALID = {
    "an unnamed computer": ("<elements><computer><cpu/></computer></elements>", 2, "computer number 1", "without a name"),
    "an unnamed substrate": ("<substrates/>", 2, "substrate number 1", "without a name"),
    "two names": (COMPUTER.format("<name>b</name>"), 2, "computer number 1", "more than one <name>"),
    "a name with a blank": (COMPUTER.format("").replace(">a<", ">a b<"), 2, "computer number 1", "'a b' is no name"),
    "a name for a shell": (COMPUTER.format("").replace(">a<", ">$(reboot)<"), 2, "computer number 1", "'$(reboot)' is no name"),
    "a name for a path": (LINK.format("").replace("link", "../../etc"), 2, "substrate number 1", "'../../etc' is no name"),
    "a name that is an option": (COMPUTER.format("").replace(">a<", ">-rf<"), 2, "computer number 1", "'-rf' is no name"),
    "a name of 33 characters": (COMPUTER.format("").replace(">a<", f">{'n' * 33}<"), 2, "computer number 1", "is no name"),
    "a name in another script": (COMPUTER.format("").replace(">a<", ">käse<"), 2, "computer number 1", "'käse' is no name"),
    "an unknown substrate": (
        LINK.format("") + COMPUTER.format("<interface><substrate>lnik</substrate></interface>"),
        4,
        "computer a, interface inf000",
        "there is no substrate 'lnik'",
    ),
    "an interface without substrate": (COMPUTER.format("<interface><name>x</name></interface>"), 3, "computer a, interface x", "has no <substrate>"),
    "two substrates of a name": (LINK.format("") + "\n" + LINK.format(""), 4, "substrate link", "this name is taken"),
    "two computers of a name": (COMPUTER.format("") + "\n" + COMPUTER.format(""), 4, "computer a", "this name is taken"),
    "a testbed with a computer's name": (
        COMPUTER.format("") + "\n<elements><testbed><name>a</name></testbed></elements>",
        4,
        "testbed a",
        "this name is taken",
    ),
    "two interfaces of a name": (
        LINK.format("") + COMPUTER.format("<interface><name>x</name><substrate>link</substrate></interface>" * 2),
        4,
        "computer a",
        "two interfaces named 'x'",
    ),
    "several substrates in version 2.0": (
        "<version>2.0</version>" + LINK.format("") + COMPUTER.format("<interface><substrate>link</substrate><substrate>link</substrate></interface>"),
        4,
        "computer a, interface inf000",
        "more than one <substrate>",
    ),
    "an attribute without a name": (COMPUTER.format("<attribute>x</attribute>"), 3, "computer a, attribute number 1", "without a name"),
    "two capacities": (LINK.format("<capacity><rate>1</rate></capacity>" * 2), 2, "substrate link", "more than one <capacity>"),
    "a capacity without a rate": (LINK.format("<capacity/>"), 3, "substrate link, capacity", "has no <rate>"),
    "a count that is no number": (COMPUTER.format('<cpu count="many"/>'), 3, "computer a, cpu number 1", "'many', not a whole number"),
    "a negative count": (COMPUTER.format('<cpu count="-2"/>'), 3, "computer a, cpu number 1", "negative"),
    "a count beyond all numbers": (COMPUTER.format(f'<cpu count="{"9" * 6000}"/>'), 3, "computer a, cpu number 1", "too large"),
    "a level that is no number": (
        "<version>2.0</version><elements><region><name>r</name><level>top</level></region></elements>",
        2,
        "region r",
        "<level> is 'top'",
    ),
    "an unnamed region": ("<version>2.0</version><elements><region/></elements>", 2, "region number 1", "without a name"),
    "elements where text belongs": (LINK.format("<localname><b/></localname>"), 3, "substrate link", "holds elements"),
    "an unknown latency model": (
        "<attribute><attribute>containers:latency_model</attribute><value>magic</value></attribute>",
        1,
        "",
        "latency_model is 'magic'",
    ),
    "an unknown substrate in a fragment": (
        f"<version>2.0</version><fragments><name>f</name>{COMPUTER.format('<interface><substrate>s</substrate></interface>')}</fragments>",
        3,
        "fragment f, computer a, interface inf000",
        "there is no substrate 's'",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_topology_is_refused_with_line_and_element(case):
    text, line, element, message = INVALID[case]
    (problem,) = problems_of(experiment(text))
    assert message in problem.message
    assert (problem.line, problem.element) == (line, element)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-1", "-0.001", "1e999", "ten", "", "1,5", "1_000", "0x10", "١", "1 2", "9" * 400])
@pytest.mark.parametrize(("shape", "tag"), [("capacity", "rate"), ("latency", "time")])
def test_invalid_rates_and_times_are_refused(shape, tag, number):
    (problem,) = problems_of(experiment(LINK.format(f"<{shape}><{tag}>{number}</{tag}></{shape}>")))
    assert (problem.line, problem.element) == (3, f"substrate link, {shape}")
    assert f"<{tag}> is" in problem.message
    assert len(str(problem)) < 200


def test_all_errors_of_a_file_are_reported_together_in_line_order():
    text = "\n".join(
        [
            COMPUTER.format("<interface><substrate>nowhere</substrate></interface>"),
            LINK.format("<capacity><rate>-1</rate></capacity>"),
            LINK.format("<latency><time>soon</time></latency>"),
            "<elements><computer/></elements>",
        ]
    )
    problems = problems_of(experiment(text))
    assert [problem.line for problem in problems] == [3, 5, 6, 7, 8]
    assert len({problem.message for problem in problems}) == 5


def test_malformed_file_reports_syntax_errors_and_other_errors():
    text = experiment("<substrates>\n<capacity><rate>-1</rate></capacity><name>a</name></substrates>\n<elements>\n<computer></elements>")
    messages = [(problem.line, problem.message) for problem in problems_of(text)]
    assert any(line == 3 and "negative" in message for line, message in messages)
    assert any(line == 5 and "mismatch" in message for line, message in messages)
    assert not any("without a name" in message for _line, message in messages)


def test_incomplete_service_tag_of_the_python_2_library_gets_a_hint():
    text = experiment("<substrates><name>a</name>\n<service><name>x</name></service</substrates>")
    assert "Python 2 topdl library" in problems_of(text)[0].hint


def test_error_suggests_a_similar_substrate_name():
    text = LINK.format("") + COMPUTER.format("<interface><substrate>lnik</substrate></interface>")
    assert problems_of(experiment(text))[0].hint == "did you mean 'link'?"


def test_errors_of_one_file_do_not_appear_in_the_next():
    assert len(problems_of("<experiment><a></experiment>")) == 1
    assert len(problems_of("<experiment>&x;</experiment>")) == 1


def test_control_characters_in_a_name_are_escaped_in_the_error():
    (problem,) = problems_of(experiment(COMPUTER.format("").replace(">a<", ">x\u202e\ny<")))
    assert "\n" not in str(problem) and "\u202e" not in str(problem)


def test_missing_file_directory_and_impossible_path_are_refused(tmp_path):
    for path, message in [(tmp_path / "none.xml", "No such file"), (tmp_path, "Is a directory"), ("a\0b", "null byte")]:
        with pytest.raises(InputError, match=message):
            read_topdl(path)


def test_file_over_the_size_limit_is_refused_without_reading_it_completely():
    with pytest.raises(InputError, match="larger than 64 MB"):
        read_topdl("/dev/zero")
    assert xml_source.MAX_BYTES == 64 * 2**20


def test_included_files_are_not_fetched(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    text = f'<experiment xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/></experiment>'
    topology, unused_warnings = read_topdl_text(text.encode(), "x.xml")
    assert "href" in topology.unknown[0].text and ">secret<" not in topology.unknown[0].text
