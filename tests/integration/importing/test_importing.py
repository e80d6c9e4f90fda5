"""Lists of other systems: good rows become mutes, bad ones are named by number, and nothing is ever un-muted."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import ListError
from flask_optout.importing.lists import LONGEST_LINE, Entry, MuteList, Refusal
from tests.conftest import MakeHost
from tests.support.hosts import Host, say


def read(data: bytes, opportunity: str | None = None) -> tuple[list[tuple[str, str]], list[int]]:
    """The good rows as address and opportunity, and the line numbers of the others."""
    rows = [*MuteList(io.BytesIO(data), opportunity)]
    good = [(row.address.canonical, row.opportunity) for row in rows if isinstance(row, Entry)]
    return good, [row.line for row in rows if isinstance(row, Refusal)]


JANE = [("jane@x.org", "beta-42")]
GOOD = {
    "H1 plain": b"email,opportunity\njane@x.org,beta-42\n",
    "H1 no end of line": b"email,opportunity\njane@x.org,beta-42",
    "H1 CRLF": b"email,opportunity\r\njane@x.org,beta-42\r\n",
    "H1 CR": b"email,opportunity\rjane@x.org,beta-42\r",
    "H1 mark": b"\xef\xbb\xbfemail,opportunity\njane@x.org,beta-42\n",
    "H1 UTF-16 little": "\ufeffemail,opportunity\njane@x.org,beta-42\n".encode("utf-16-le"),
    "H1 UTF-16 big": "\ufeffemail,opportunity\r\njane@x.org,beta-42\r\n".encode("utf-16-be"),
    "H1 empty lines": b"email,opportunity\n\n\njane@x.org,beta-42\n\n",
    "H2 other order": b"opportunity,email\nbeta-42,jane@x.org\n",
    "H2 other names": b"Opportunity;E-Mail\nbeta-42;jane@x.org\n",
    "H2 tabs": b"address\topportunity\njane@x.org\tbeta-42\n",
    "H2 500 columns": b",".join([b"email", b"opportunity"] + [b"c%d" % n for n in range(498)])
    + b"\njane@x.org,beta-42"
    + b"," * 498
    + b"\n",
    "H3 quotes": b'email,opportunity\n"jane@x.org","beta-42"\n',
    "H3 quoted line break in a note": b'note,email,opportunity\n"two\nlines",jane@x.org,beta-42\n',
    "H3 quoted delimiter": b'note,email,opportunity\n"a,b",jane@x.org,beta-42\n',
    "H5 a status": b"email,opportunity,status\njane@x.org,beta-42,subscribed\n",
    "H5 an unmute": b"email,opportunity,unmute\njane@x.org,beta-42,true\n",
    "a display name": b'email,opportunity\n"Jane <jane@x.org>",beta-42\n',
}


@pytest.mark.parametrize("case", GOOD)
def test_a_good_list(case: str) -> None:
    assert read(GOOD[case]) == (JANE, [])


@pytest.mark.parametrize("data", [b"email\njane@x.org\n", b"name,email\nJane,jane@x.org\n"])
def test_a_list_without_opportunities_takes_one_for_all(data: bytes) -> None:
    assert read(data, "beta-42") == (JANE, [])


HEADERS = {
    "H2 missing": b"jane@x.org,beta-42\n",
    "H2 no address": b"opportunity,status\nbeta-42,x\n",
    "H2 no opportunity": b"email,status\njane@x.org,x\n",
    "H2 one column": b"email\njane@x.org\n",
    "H2 two addresses": b"email,address,opportunity\na@x.org,b@x.org,beta-42\n",
    "H2 two opportunities": b"email,opportunity,opportunity\na@x.org,a,b\n",
    "H1 UTF-16 without a mark": "email,opportunity\njane@x.org,beta-42\n".encode("utf-16-le"),
    "H2 empty": b"",
    "H2 only a line end": b"\n",
    "H2 unclosed quote": b'"email,opportunity\njane@x.org,beta-42\n',
    "H2 too long": b"email,opportunity," + b"x" * LONGEST_LINE + b"\n",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_list_whose_header_does_not_say_enough(case: str) -> None:
    with pytest.raises(ListError, match="email,opportunity"):
        read(HEADERS[case])


def test_an_opportunity_is_given_once() -> None:
    with pytest.raises(ListError, match="was given as well"):
        read(b"email,opportunity\njane@x.org,a\n", "b")


ROWS = {
    "H1 Latin-1": b"jos\xe9@x.org,beta-42",
    "H3 a megabyte": b"a" * 1_000_000 + b"@x.org,beta-42",
    "H3 an unclosed quote": b'"bob@x.org,beta-42',
    "H3 a stray quote": b'bob"@x.org,beta-42',
    "H2 too few": b"bob@x.org",
    "H2 too many": b"bob@x.org,beta-42,more",
    "H4 a formula": b"=HYPERLINK(A1),beta-42",
    "H4 plus": b"+1,beta-42",
    "H4 minus": b"-1,beta-42",
    "H4 at": b"@SUM(A1),beta-42",
    "H4 tab": b"\t=1,beta-42",
    "no address": b",beta-42",
    "no opportunity": b"bob@x.org,",
    "a long opportunity": b"bob@x.org," + b"x" * 129,
    "a NUL": b"bob\0@x.org,beta-42",
}


@pytest.mark.parametrize("case", ROWS)
def test_a_bad_row_is_named_by_its_number_and_the_others_count(case: str) -> None:
    data = b"email,opportunity\nann@x.org,a\n" + ROWS[case] + b"\njane@x.org,beta-42\n"
    good, bad = read(data)
    assert bad == [3]
    assert good == [("ann@x.org", "a"), *JANE]


@given(st.binary(max_size=400))
def test_no_bytes_are_a_surprise(data: bytes) -> None:
    for prefix in (b"", b"email,opportunity\n", b"\xff\xfe"):
        try:
            read(prefix + data)
        except ListError as error:
            assert "@" not in error.what


@given(
    st.lists(
        st.sampled_from(["jane@x.org", '"a,b"@x.org', 'x"y@x.org', "", "a\nb", "no", "é@x.org", '"', ","]),
        max_size=12,
    )
)
def test_what_a_csv_writer_wrote_is_read(cells: list[str]) -> None:
    import csv

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["email", "note", "opportunity"])
    for cell in cells:
        writer.writerow(["jane@x.org", cell, "beta-42"])
    good, bad = read(text.getvalue().encode())
    assert (good, bad) == (JANE * len(cells), [])


def lines(count: int) -> Iterator[bytes]:
    yield b"email,opportunity\n"
    for n in range(count):
        yield b"nobody\n" if n % 100 == 0 else b"person%d@x.org,beta-42\n" % n


class Stream(io.RawIOBase):
    """A file that is made while it is read."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._rest = parts, b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (part := next(self._parts, None)):
            self._rest += part
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


@pytest.mark.parametrize(
    "parts",
    [lines(30_000), iter([b"email,opportunity\n", *[b"x" * 100_000] * 300])],
    ids=["H6 many rows", "G5 one endless line"],
)
def test_memory_is_bounded(parts: Iterator[bytes]) -> None:
    tracemalloc.start()
    refused = sum(isinstance(row, Refusal) for row in MuteList(Stream(parts)))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused in (1, 300)
    assert peak < 40_000_000


def run(host: Host, *arguments: str, given: bytes = b"") -> tuple[int, str]:
    result = host.app.test_cli_runner().invoke(args=["optout", "import", *arguments], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output and "x.org" not in result.output
    return result.exit_code, result.output


LIST = (
    b"email,opportunity,status\nJANE@x.org,beta-42,subscribed\nbob@x.org,gone for years,subscribed\nno address,x,x\n"
)


def test_the_command_mutes_reports_and_exits_with_1_when_a_row_was_bad(host: Host, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(LIST)
    code, output = run(host, str(tmp_path / "list.csv"))
    assert code == 1
    assert "Line 4: A recipient has no @." in output and "2 rows are muted; 1 rows could not be used." in output
    assert not host.optout.may_invite("jane@x.org", "beta-42")
    assert not host.optout.may_invite("bob@x.org", "gone for years")
    assert host.optout.may_invite("bob@x.org", "beta-42")


def test_it_reads_standard_input_and_exits_with_0(host: Host) -> None:
    assert run(host, "-", "--opportunity", "*", given=b"email\njane@x.org\n")[0] == 0
    assert not host.optout.may_invite("jane@x.org", "anything")


@pytest.mark.parametrize(
    "arguments", [["no such file"], ["."], [], ["-", "--status", "x"], ["\udcff"], ["--", "-x"]], ids=ascii
)
def test_it_exits_with_2_when_there_is_nothing_to_read(host: Host, arguments: list[str]) -> None:
    assert run(host, *arguments)[0] == 2


def test_a_bad_header_exits_with_2(host: Host) -> None:
    assert run(host, "-", given=b"name\nJane\n")[0] == 2


def test_the_same_output_whatever_was_stored_and_a_rerun_changes_nothing(host: Host) -> None:
    first = run(host, "-", given=LIST)
    assert run(host, "-", given=LIST) == first
    say(host, False)
    assert run(host, "-", given=LIST) == first
    assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_an_import_never_un_mutes(host: Host) -> None:
    say(host, True)
    for state in ("subscribed", "confirmed", "unmuted", "false", "0"):
        run(host, "-", given=f"email,opportunity,status,muted\njane@x.org,other,{state},{state}\n".encode())
        assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_a_store_that_is_down_exits_with_1_and_says_what_to_mend(host: Host) -> None:
    host.db.drop_all()
    code, output = run(host, "-", given=LIST)
    assert code == 1 and "flask optout init-db" in output


APP = """
import sys
from pathlib import Path
from tests.support.hosts import make_host
app = make_host(Path({folder!r})).app
"""


def test_killed_half_way_and_run_again_it_ends_the_same(make: MakeHost, tmp_path: Path) -> None:
    host = make()
    (tmp_path / "app.py").write_text(APP.format(folder=str(tmp_path)))
    command = [sys.executable, "-m", "flask", "--app", str(tmp_path / "app.py"), "optout", "import", "-"]
    root = Path(__file__).parents[3]
    data = b"email,opportunity\n" + b"".join(b"person%d@x.org,beta-42\n" % n for n in range(3_000))
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(data[: len(data) // 2])
        process.stdin.flush()
        with host.app.app_context():
            while host.optout.may_invite("person200@x.org", "beta-42"):
                assert process.poll() is None
        process.kill()
    assert run(host, "-", given=data)[0] == 0
    with host.app.app_context():
        assert not any(host.optout.invitable((f"person{n}@x.org" for n in range(3_000)), "beta-42"))
