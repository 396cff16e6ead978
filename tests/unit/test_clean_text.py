# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from a node is harmless to a terminal and to a log, and keeps its words."""

from __future__ import annotations

import random
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_end, clean_line, clean_text, clean_value

SEQUENCES = {
    "colour": "\x1b[1;31m", "movement": "\x1b[2J\x1b[H", "private mode": "\x1b[?1049h", "title with BEL": "\x1b]0;owned\x07",
    "title with ST": "\x1b]2;owned\x1b\\",
    "link": "\x1b]8;;http://192.0.2.1/\x1b\\", "clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07", "DCS": "\x1bP+q544e\x1b\\", "APC": "\x1b_Gf=100;AAAA\x1b\\",
    "reset": "\x1bc", "character set": "\x1b(0", "C1 CSI": "\x9b31m", "C1 OSC": "\x9d0;owned\x9c", "C1 alone": "\x85\x8d\x90", "bell": "\x07\x00\x08\x7f",
    "bidi override": "\u202e\u2066\u2069", "zero width": "\u200b\u200d\ufeff\u00ad", "tags": "\U000e0041",
    "fillers": "\u115f\u3164\ufe0f\u034f", "surrogate": "\ud800\udfff",
    "private use": "\ue000", "shift out": "\x0e", "vertical tab": "\x0b\x0c",
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES)
def test_nothing_is_left_of_what_a_terminal_obeys_or_an_eye_does_not_see(sequence):
    assert clean_text(f"up{sequence}and{sequence}\n{sequence}running") == "upand\nrunning"


def test_words_of_every_script_stay():
    assert clean_text("Größe 5 µs, 日本語, שלום … OK\n[  OK  ] up") == "Größe 5 µs, 日本語, שלום … OK\n[  OK  ] up"


def test_a_carriage_return_hides_no_line():
    assert clean_text("rm -rf /\rharmless  \r\r\nnext\r\n") == "rm -rf /\nharmless  \nnext\n"


def test_other_spaces_are_spaces():
    assert clean_text("a\tb\u00a0c\u2028d\u3000e") == "a b c d e"


def test_removing_a_sequence_makes_no_other():
    assert clean_text("\x1b\x1b[31m[31mred") == "[31mred"
    assert clean_text("\x1b]0;no end\nnext") == "0;no end\nnext", "what hides no more is shown"


def test_long_lines_and_many_lines_are_cut():
    assert clean_text("a" * 11, width=10) == "a" * 9 + "…"
    assert clean_text("1\n2\n3\n4", lines=2) == "1\n2\n… and 2 more lines"
    assert clean_line("one\ntwo\x1b[m\n", width=20) == "one two" and len(clean_line("x\n" * 100, width=20)) == 20
    assert clean_end("1\n\n2  \n3\n \n", lines=2) == "2\n3"


def test_all_texts_in_a_value_are_cleaned_and_nothing_else():
    found = clean_value({"a\x1b[m": ["\x1b]0;t\x07x", 1, 2.5, None, True], "nodes": {"n": {"state": "booted\u202e"}}})
    assert found == {"a": ["x", 1, 2.5, None, True], "nodes": {"n": {"state": "booted"}}}
    deep = value = []
    for _depth in range(5000):
        value.append([])
        value = value[0]
    assert clean_value(deep)


def test_any_text_is_clean_and_cleaning_it_again_changes_nothing():
    chance, alphabet = random.Random(7), "".join(SEQUENCES.values()) + "ab;[]\\m\n\r\t 0"
    for _try in range(3000):
        found = clean_text("".join(chance.choice(alphabet) for _number in range(chance.randrange(40))))
        assert all(character == "\n" or character.isprintable() for character in found), ascii(found)
        assert clean_text(found) == found
        found.encode()


@pytest.mark.parametrize("part", ["\x1b]", "\x9d", "\x1b[", "\x1b[1", "\x1bP\x9d", "\r", "\x1b", "\x1b(", "\x90a"])
def test_hostile_text_is_cleaned_in_time_that_grows_with_its_length(part):
    began = time.process_time()
    clean_text(part * 500_000)
    assert time.process_time() - began < 10
