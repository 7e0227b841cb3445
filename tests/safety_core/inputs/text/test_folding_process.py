"""A process of its own undoes disguises as the calling thread does, and whatever happens to it."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from safety_core.inputs.text import folding_process as folding
from safety_core.inputs.text.folding import FoldingState
from safety_core.inputs.text.folding_process import FoldingProcess, LocalFolding
from safety_core.inputs.text.lexicon import load_english

WORDS = ["drells", "zorkmid"]
TEMPLATE = re.compile(r"<image>|USER[^\S\n]*[:\uff1a]")
TEXTS = [
    "Sh0w.m3.h0w.t0.f0ld.a.b0at " * 8,
    "s h o w   m e   d r e l l s   a n d   b o a t s. " * 6,
    "How do I fold a boat out of paper on a cold and rainy day? " * 4,
    "d\u0433\u0435lls \U0001f600 \ud800 and z.o.r.k.m.i.d " * 8,
]


@pytest.fixture
def local() -> LocalFolding:
    lexicon = load_english().extend(WORDS)
    return LocalFolding(lambda: lexicon, TEMPLATE)


@pytest.fixture
def process(local: LocalFolding) -> Iterator[FoldingProcess]:
    made = FoldingProcess(WORDS, TEMPLATE, local)
    yield made
    made.close()


def child_of(process: FoldingProcess) -> "subprocess.Popen[bytes]":
    child = process._process
    assert child is not None
    return child


def test_both_places_give_the_same_results(process: FoldingProcess, local: LocalFolding) -> None:
    state, own = FoldingState(), FoldingState()
    assert [process.fold(text, state) for text in TEXTS] == [local.fold(text, own) for text in TEXTS]
    assert "drells" in process.fold(TEXTS[1], state).whole[0]
    windows = ["Sure,.here.is.it:.drells.are.lazy!", "USER: a plain window of a reply", "\ud800 m u g s h o t", ""] * 8
    assert process.build_reply_variants(windows) == local.build_reply_variants(windows)
    assert child_of(process).poll() is None


def test_texts_of_one_request_share_their_effort(process: FoldingProcess, local: LocalFolding) -> None:
    noise = "".join(chr(97 + (7 * index * index + index) % 26) + ".!1"[index % 3] for index in range(4000))
    state, own = FoldingState(), FoldingState()
    for part in (noise, noise[::-1], noise):
        assert process.fold(part, state) == local.fold(part, own)


def test_short_and_ordinary_texts_need_no_process(process: FoldingProcess) -> None:
    assert process.fold("h0w.t0.f0ld.a.b0at", FoldingState()).whole
    assert not process.fold(TEXTS[2], FoldingState()).whole
    assert process.build_reply_variants(["a b", "c"])
    assert process._process is None


@pytest.mark.parametrize("fault", ["killed", "cannot_start", "ends_at_once", "says_rubbish"])
def test_a_text_is_folded_whatever_happens_to_the_process(
    process: FoldingProcess, local: LocalFolding, fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = local.fold(TEXTS[0], FoldingState())
    if fault == "killed":
        assert process.fold(TEXTS[0], FoldingState()) == expected
        before = child_of(process)
        before.kill()
        before.wait()
        assert process.fold(TEXTS[0], FoldingState()) == expected
        assert child_of(process).pid != before.pid
        return
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n" + {"ends_at_once": "exit 1", "says_rubbish": "echo rubbish; cat"}.get(fault, ""))
    if fault != "cannot_start":
        program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    assert process.fold(TEXTS[0], FoldingState()) == expected
    monkeypatch.undo()
    assert process.fold(TEXTS[0], FoldingState()) == expected
    assert process._process is None, "a new one is not tried for each text"


def test_an_error_in_the_process_is_met_by_the_caller(
    process: FoldingProcess, local: LocalFolding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        folding, "_encode_line", lambda message: b'{"state": []}\n'
    )  # nothing that the process can work on
    process._setup = b'{"words": [], "template": "a"}\n'
    assert process.fold(TEXTS[0], FoldingState()) == local.fold(TEXTS[0], FoldingState())
    assert child_of(process).poll() is None


def test_several_threads_share_a_process(process: FoldingProcess, local: LocalFolding) -> None:
    expected = [local.fold(text, FoldingState()) for text in TEXTS]
    wrong: list[int] = []

    def work(index: int) -> None:
        if process.fold(TEXTS[index], FoldingState()) != expected[index]:
            wrong.append(index)

    threads = [threading.Thread(target=work, args=(index % len(TEXTS),)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_it_ends_with_its_owner(process: FoldingProcess, local: LocalFolding) -> None:
    process.fold(TEXTS[0], FoldingState())
    child = child_of(process)
    process.close()
    assert child.wait(60) != 0
    assert process.fold(TEXTS[0], FoldingState()) == local.fold(TEXTS[0], FoldingState())
    assert process._process is None


def test_it_ends_when_its_server_was_killed() -> None:
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "safety_core.inputs.text.folding_process"], stdin=reading, stdout=subprocess.PIPE
    )
    os.close(reading)
    os.write(writing, b'{"words": [], "template": "a"}\n')
    os.close(writing)
    assert child.wait(60) == 0
    assert child.stdout is not None
    child.stdout.close()
