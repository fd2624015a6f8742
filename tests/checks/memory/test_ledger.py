"""The book of memory, on recorded pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlcheck.checks.memory.kernels import beyond
from dlcheck.checks.memory.ledger import CAUSES, Piece, balance
from dlcheck.checks.memory.measured import highest


def test_peak_and_what_it_consists_of() -> None:
    pieces = [
        Piece(100, 1, "start", "parameters"),
        Piece(40, 2, "forward", "activations", 6),
        Piece(30, 3, "forward", "workspace", 4),
        Piece(50, 5, "backward", "workspace", 7),
        Piece(100, 8, "backward", "gradients"),
    ]
    found = balance(pieces)
    assert found.total == 200
    assert (found.parts["parameters"], found.parts["gradients"], found.parts["activations"]) == (100, 100, 0)
    assert found.phase == "backward"
    assert found.most["activations"] == 40
    assert found.most["workspace"] == 50


def test_only_from_a_moment_on() -> None:
    pieces = [Piece(900, 1, "start", "workspace", 2), Piece(10, 3, "start", "batch"), Piece(5, 5, "forward")]
    assert balance(pieces, since=4).total == 15
    assert balance(pieces, since=4).most["workspace"] == 5
    assert balance(pieces).total == 900


def test_what_is_held_when_counting_begins_may_be_the_peak() -> None:
    pieces = [Piece(900, 1, "start", "gradients", 5), Piece(10, 6, "forward")]
    assert balance(pieces, since=4).total == 900
    assert balance(pieces, since=20).total == 10


def test_rounding_is_of_every_piece() -> None:
    assert balance([Piece(1, 1, "start", "buffers"), Piece(513, 2, "start", "buffers")], rounding=512).total == 1536


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 30), st.sampled_from(CAUSES)), max_size=20))
def test_parts_add_up_and_are_no_more_than_their_most(given_pieces: list[tuple[int, int, str]]) -> None:
    pieces = [
        Piece(size, 2 * number + 1, "forward", cause, 2 * (number + lasting))
        for number, (size, lasting, cause) in enumerate(given_pieces)
    ]
    found = balance(pieces)
    assert found.total == sum(found.parts.values())
    assert all(found.parts[cause] <= found.most[cause] for cause in CAUSES)
    assert found.total <= sum(piece.bytes for piece in pieces)
    assert found.total >= max((piece.bytes for piece in pieces), default=0)


def test_what_a_kernel_takes_beyond_what_it_returns() -> None:
    assert beyond([100, 50, -50]) == 50
    assert beyond([50, -50, 100]) == 0
    assert beyond([]) == 0


def test_highest_of_the_second_step() -> None:
    moves = [(1, 500), (2, -400), (3, 50), (10, 20), (11, -60), (12, 30)]
    assert highest(moves, since=10) == 170
    assert highest(moves, since=20) == 140
    assert highest([(1, 100), (10, -20)], since=10) == 100
