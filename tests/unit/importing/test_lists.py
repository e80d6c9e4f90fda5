"""Lists of other systems: a row counts if its address is clear; one that does not count is named by its line."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import ListError
from flask_optout.importing.lists import LONGEST_LINE, MOST_LINES, MuteList, MuteRow, Skipped


def read(data: bytes, opportunity: str | None = None, **how: str) -> tuple[list[tuple[str, str]], list[int]]:
    """The rows that count as address and opportunity, and the line numbers of the others."""
    rows = [*MuteList(io.BytesIO(data), opportunity, **how)]
    good = [(to.canonical, row.opportunity) for row in rows if isinstance(row, MuteRow) for to in row.addresses]
    return good, [row.line for row in rows if isinstance(row, Skipped)]


JANE = [("jane@x.org", "beta-42")]
GOOD = {
    "plain": b"email,opportunity\njane@x.org,beta-42\n",
    "no end of line": b"email,opportunity\njane@x.org,beta-42",
    "CRLF": b"email,opportunity\r\njane@x.org,beta-42\r\n",
    "CR": b"email,opportunity\rjane@x.org,beta-42\r",
    "a byte order mark": b"\xef\xbb\xbfemail,opportunity\njane@x.org,beta-42\n",
    "UTF-16 little": "\ufeffemail,opportunity\njane@x.org,beta-42\n".encode("utf-16-le"),
    "UTF-16 big": "\ufeffemail,opportunity\r\njane@x.org,beta-42\r\n".encode("utf-16-be"),
    "empty lines": b"email,opportunity\n\n\njane@x.org,beta-42\n\n",
    "other order": b"opportunity,email\nbeta-42,jane@x.org\n",
    "other names": b"Opportunity;E-Mail\nbeta-42;jane@x.org\n",
    "bars": b"email|opportunity\njane@x.org|beta-42\n",
    "tabs": b"address\topportunity\njane@x.org\tbeta-42\n",
    "500 columns": b",".join([b"email", b"opportunity"] + [b"c%d" % n for n in range(498)])
    + b"\njane@x.org,beta-42"
    + b"," * 498
    + b"\n",
    "quotes": b'email,opportunity\n"jane@x.org","beta-42"\n',
    "quoted line break in a note": b'note,email,opportunity\n"two\nlines",jane@x.org,beta-42\n',
    "quoted delimiter": b'note,email,opportunity\n"a,b",jane@x.org,beta-42\n',
    "too many cells": b"email,opportunity\njane@x.org,beta-42,more\n",
    "too few cells": b"email,opportunity,name,note\njane@x.org,beta-42\n",
    "an email and a postal address": b"email,name,address,opportunity\njane@x.org,Jane,5 Main St,beta-42\n",
    "two columns with addresses": b"email,address,opportunity\njane@x.org,b@x.org,beta-42\n",
    "an unknown word for it": b"Kontakt,opportunity\njane@x.org,beta-42\n",
    "a quote in a note": b'email,opportunity,note\njane@x.org,beta-42,5" disk\n',
    "a quote in a quoted note": b'note,email,opportunity\n"Jane "JJ" Doe",jane@x.org,beta-42\n',
    "quoted delimiter of another kind": b'note;email;opportunity\n"a;b";jane@x.org;beta-42\n',
    "a quote in a quoted note, semicolons": b'note;email;opportunity\n"Jane "JJ" Doe";jane@x.org;beta-42\n',
    "sep=": b"sep=;\nemail;opportunity\njane@x.org;beta-42\n",
    "Windows-1252 in a note": b"email,opportunity,name\njane@x.org,beta-42,M\xfcller\n",
    "mailto": b"email,opportunity\nmailto:jane@x.org?subject=stop,beta-42\n",
    "zero-width blanks": "email,opportunity\n\u200bjane@x.org\ufeff\u00a0,beta-42\n".encode(),
    "a bullet": "email,opportunity\n• jane@x.org,beta-42\n".encode(),
    "an opening quote": "email,opportunity\n‘jane@x.org,beta-42\n".encode(),
    "quotes of a word processor": "email,opportunity\n“jane@x.org”,beta-42\n".encode(),
    "two byte order marks": "\ufeff\ufeffsep=;\nemail;opportunity\njane@x.org;beta-42\n".encode(),
    "angle brackets": b"email,opportunity\n<jane@x.org>,beta-42\n",
    "an @ of a Japanese keyboard": "email,opportunity\njane＠x.org,beta-42\n".encode(),
    "marks of direction and joiners": "email,opportunity\n\u200c\u061cjane@x.org\u200d,beta-42\n".encode(),
    "a slash too many": b"email,opportunity\nmailto://jane@x.org,beta-42\n",
    "mailto in angle brackets": b"email,opportunity\n<mailto:jane@x.org>,beta-42\n",
    "text in Excel": b"email,opportunity\n'jane@x.org,beta-42\n",
    "single quotes": b"'email','opportunity'\n'jane@x.org',beta-42\n",
    "a quote, and blanks after it": "email,opportunity\n“jane@x.org” ,beta-42\n".encode(),
    "the end of a list": b"email,opportunity\njane@x.org;,beta-42\n",
    "blanks before quotes": b'"email", "opportunity"\n"jane@x.org", "beta-42"\n',
    "blank lines first": b"\n;;\nE-Mail;opportunity;\njane@x.org;beta-42;\n",
    "delimiters in quotes": b'email;"opportunity";"a, b, c"\njane@x.org;beta-42;\n',
    "a comma in a name of a column": b"Name, first;email;opportunity\nJane;jane@x.org;beta-42\n",
    "brackets with commas": b"email (a, b, c);opportunity\njane@x.org;beta-42\n",
    "a display name": b'email,opportunity\n"Jane <jane@x.org>",beta-42\n',
}


@pytest.mark.parametrize("case", GOOD)
def test_a_list_is_read_however_it_is_written(case: str) -> None:
    assert read(GOOD[case]) == (JANE, [])


@pytest.mark.parametrize(
    "above",
    [
        "Unsubscribes of May",
        "# exported by admin@corp.example",
        "Exported by admin@corp.example on 2024-05-01;;",
        '"Unsubscribes, as of May, 2024, by mail"',
    ],
)
def test_what_stands_above_the_names_of_the_columns_is_no_row(above: str) -> None:
    data = f"{above}\n\nE-Mail;Unsubscribed\njane@x.org;yes\nbob@x.org;no\n".encode()
    rows = [*MuteList(io.BytesIO(data), "beta-42")]
    assert [each.reason if isinstance(each, Skipped) else "" for each in rows] == [
        "It stands above the names of the columns",
        "",
        "no opt-out",
    ]
    assert [each.line for each in rows if isinstance(each, Skipped)] == [1, 5]


@pytest.mark.parametrize("first", ["email,UNSUB_TIME\nann@x.org,2024-01-01", "ann@x.org,x"])
def test_a_second_list_in_one_file_is_refused(first: str) -> None:
    with pytest.raises(ListError, match="Line [23] names columns anew"):
        read(f"{first}\nEmail,LAST_CHANGED\njane@x.org,2024-01-01\n".encode(), "b")


@pytest.mark.parametrize("data", [b"email\njane@x.org\n", b"name,email\nJane,jane@x.org\n"])
def test_a_list_without_opportunities_takes_one_for_all(data: bytes) -> None:
    assert read(data, "beta-42") == (JANE, [])


@pytest.mark.parametrize("first", ["out1@example.org", "out1 @example.org", "out1＠example.org", "out1@example。org"])
def test_a_file_without_a_header_is_a_list_of_addresses(first: str) -> None:
    data = first.encode() + b";M\xfcller\nx@example.org;Doe\n"
    assert read(data, "b") == ([("out1@example.org", "b"), ("x@example.org", "b")], [])


@pytest.mark.parametrize(
    "data",
    [
        b"PK\3\4\x14\0\6\0list.csvemail\njane@x.org\n",
        gzip.compress(b"email\njane@x.org\n"),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1jane@x.org\n",
        b"%PDF-1.7\njane@x.org\n",
        b'{"email": "jane@x.org"}\n{"email": "bob@x.org"}\n',
        b'[\n  {\n    "email": "jane@x.org"\n  }\n]\n',
        b'["jane@x.org"]',
        b"<table>\n<tr><td>jane@x.org</td></tr>\n</table>\n",
        b'<?xml version="1.0"?>\n<user email="jane@x.org"/>\n',
        b"BEGIN:VCARD\nEMAIL:jane@x.org\nEND:VCARD\n",
        b"dn: mail=jane@x.org\nmail: jane@x.org\n",
        b"SQLite format 3\0"[::-1] + b"jane@x.org",
        "email\njane@x.org\n".encode("utf-16-le"),
        "\ufeffemail\njane@x.org\n".encode("utf-32-le"),
        bytes(range(256)),
    ],
    ids=lambda data: repr(data[:4]),
)
def test_what_is_no_list_is_told_so(data: bytes) -> None:
    with pytest.raises(ListError, match="The file is no list.*Save it as CSV"):
        read(data, "b")


HEADERS = {
    "missing": b"jane@x.org,beta-42\n",
    "no address": b"opportunity,status\nbeta-42,x\n",
    "no opportunity": b"email,status\njane@x.org,x\n",
    "one column": b"email\njane@x.org\n",
    "two addresses": b"email,e-mail,opportunity\na@x.org,b@x.org,beta-42\n",
    "addresses elsewhere than in the email": b"Email,Contact owner,opportunity\n,boss@x.org,beta-42\n",
    "a name too few, as R writes it": b'"name","email","opportunity"\n"1","A","a@x.org","beta-42"\n',
    "empty": b"",
    "only a line end": b"\n",
    "unclosed quote": b'"email,opportunity\njane@x.org,beta-42\n',
    "too long": b"email,opportunity," + b"x" * LONGEST_LINE + b"\n",
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_list_whose_header_does_not_say_enough_is_refused(case: str) -> None:
    with pytest.raises(ListError, match="email,opportunity"):
        read(HEADERS[case])


@pytest.mark.parametrize("cell", ["a@x.org, b@x.org", "a@x.org;b@x.org", "a@x.org\nb@x.org", "<a@x.org> | <b@x.org>"])
def test_a_cell_with_two_addresses_is_of_two_people(cell: str) -> None:
    assert read(f'email,name\n"{cell}",Jane\n'.encode(), "b") == ([("a@x.org", "b"), ("b@x.org", "b")], [])


@pytest.mark.parametrize(
    "row", ["b@x.org, c@x.org", "Bob <b@x.org>, Kim <c@x.org>", "b@x.org,,c@x.org"], ids=["two", "names", "a blank"]
)
def test_addresses_for_which_there_is_no_column_are_not_lost(row: str) -> None:
    assert read(f"email\na@x.org\n{row}\n".encode(), "b") == ([("a@x.org", "b")], [3])


def test_an_encoding_that_was_named_is_used() -> None:
    assert read("email\njané@x.org\n".encode("utf-16-le"), "b", encoding="utf-16-le") == ([("jané@x.org", "b")], [])
    data = "email\njosé@x.org\n".encode("cp1252")
    assert read(data, "b") == ([], [2])
    assert read(data, "b", encoding="cp1252") == ([("josé@x.org", "b")], [])


@pytest.mark.parametrize(
    ("column", "who"), [("e-mail", "b@x.org"), ("E-Mail", "b@x.org"), ("2", "b@x.org"), ("1", "a@x.org")]
)
def test_a_column_that_was_named_is_used(column: str, who: str) -> None:
    data = b"email,e-mail\na@x.org,b@x.org\n"
    assert read(data, "b", column=column) == ([(who, "b")], [])


@pytest.mark.parametrize(("lines", "is_one"), [(MOST_LINES, True), (MOST_LINES + 1, False)])
def test_a_quoted_note_has_so_many_lines_at_most(lines: int, is_one: bool) -> None:
    note = "\n".join(["a line"] * lines)
    good, bad = read(f'note,email,opportunity\n"{note}",jane@x.org,beta-42\n'.encode())
    assert (good, not bad) == (JANE, is_one)  # the last line of a longer one counts by itself


@pytest.mark.parametrize("column", ["phone", "3", "0"])
def test_a_column_that_is_not_there_is_refused(column: str) -> None:
    with pytest.raises(ListError):
        read(b"email,e-mail\na@x.org,b@x.org\n", "b", column=column)


@pytest.mark.parametrize("second", ["opportunity", "opportunity_id"])
def test_two_columns_of_opportunities_are_refused(second: str) -> None:
    with pytest.raises(ListError, match=r"Two columns.*Rename the one"):
        read(f"email,opportunity,{second}\na@x.org,a,b\n".encode())


def test_an_opportunity_is_given_once() -> None:
    with pytest.raises(ListError, match="was given as well"):
        read(b"email,opportunity\njane@x.org,a\n", "b")


ROWS = {
    "Latin-1": b"jos\xe9@x.org,beta-42",
    "Latin-1 in the opportunity": b"bob@x.org,b\xeata-42",
    "a megabyte": b"a" * 1_000_000 + b"@x.org,beta-42",
    "a megabyte behind an address": b"bob@x.org,beta-42," + b"a" * 1_000_000,
    "two words": b"jane doe@x.org,beta-42",
    "an address among words": b"Jane (bob@x.org) Doe,beta-42",
    "an unclosed quote": b'"bob@x.org,beta-42',
    "a stray quote": b'bob"@x.org,beta-42',
    "too few cells": b"bob@x.org",
    "a formula": b"=HYPERLINK(A1),beta-42",
    "plus": b"+1,beta-42",
    "minus": b"-1,beta-42",
    "at": b"@SUM(A1),beta-42",
    "tab": b"\t=1,beta-42",
    "no address": b",beta-42",
    "no opportunity": b"bob@x.org,",
    "a long opportunity": b"bob@x.org," + b"x" * 129,
    "a masked address": b"b***@x.org,beta-42",
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
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["email", "note", "opportunity"])
    for cell in cells:
        writer.writerow(["jane@x.org", cell, "beta-42"])
    good, bad = read(text.getvalue().encode())
    assert (good, bad) == (JANE * len(cells), [])


def test_a_file_may_be_closed_before_it_was_read_to_its_end() -> None:
    file = io.BytesIO(b"email\n" + b"jane@x.org\n" * 1_000)
    rows = iter(MuteList(file, "b"))
    next(rows)
    file.close()
    del rows
    gc.collect()  # pytest makes an error of what is raised here


def lines(count: int) -> Iterator[bytes]:
    yield b"email,opportunity\n"
    for n in range(count):
        yield b"nobody\n" if n % 100 == 0 else b"person%d@x.org,beta-42\n" % n


@pytest.mark.parametrize(
    ("parts", "unusable"),
    [(lambda: lines(30_000), 300), (lambda: [b"email,opportunity\n", *[b"x" * 100_000] * 300], 1)],
    ids=["many rows", "one endless line"],
)
def test_memory_is_bounded(parts: Callable[[], Iterable[bytes]], unusable: int, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"".join(parts()))
    with (tmp_path / "list.csv").open("rb") as file:
        tracemalloc.start()
        skipped = sum(isinstance(row, Skipped) for row in MuteList(file))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert skipped == unusable and peak < 10_000_000
