"""Which links of an html part a person can see."""

from __future__ import annotations

import pytest

from flask_optout.doctor.styles import visible_links

LINK = "https://invite.example.org/optout/aaaa"
A = f'<a href="{LINK}">Not Interested?</a>'


@pytest.mark.parametrize(
    "body",
    [
        A,
        f'<p><a href="{LINK}"><b>Not</b> Interested?</a></p>',
        f'<a href="{LINK}"><img src="x.png" alt="Not Interested?"></a>',
        f'<br><div style="color:red">{A}',
        f"<div hidden><br></div>{A}",
        # Sizes that only begin with a nought, or are set again further in.
        f'<p style="font-size:0.9em">{A}</p>',
        f'<td style="font-size:0px;padding:10px"><div style="font-size:13px">{A}</div></td>',
        f'<table><tr><td style="font-size:0"><table><tr><td style="font-size:12px">{A}</table></td></tr></table>',
        # A hidden preheader whose paragraph never ends.
        f'<div style="display:none;max-height:0"><p>Preheader</div><p>{A}',
        f'<span style="display:none!important;mso-hide:all">Preheader</span>{A}',
        f'<div style="visibility:hidden"><span style="visibility:visible">{A}</span></div>',
        f'<div hidden style="display:block">{A}</div>',
        # Style sheets: the more exact rule, the later one, the element's own style, !important.
        f"<style>a {{display:none}} p a {{display:inline}}</style><p>{A}</p>",
        f"<style>a {{display:none}} a {{display:inline}}</style>{A}",
        f'<style>a {{display:none}}</style><a href="{LINK}" style="display:inline">Not Interested?</a>',
        f"<style>@media (max-width:480px) {{a {{display:none}}}}</style>{A}",
        f'<style>.hide {{display:none}}</style><div class="show">{A}</div>',
        f"<style>}}}} a:::x {{display:none}} broken</style>{A}",
        # Colours.
        f'<div style="background:#000;color:#fff"><a href="{LINK}" style="color:#fff">Not Interested?</a></div>',
        f'<table bgcolor="#ffffff"><tr><td><a style="color:#999" href="{LINK}">Not Interested?</a></td></tr></table>',
        f'<div style="background:url(x.png)"><a style="color:#fff" href="{LINK}">Not Interested?</a></div>',
        f"<!--[if mso]><p hidden><![endif]-->{A}",
        f'<div style="font:0/0 a"><div style="font:bold 14px/20px Arial">{A}</div></div>',
        f"\x00{A}",
    ],
)
def test_a_link_that_people_see_is_seen(body: str) -> None:
    assert visible_links(body) == [LINK]


@pytest.mark.parametrize(
    "body",
    [
        f'<a href="{LINK}"></a>',
        f'<a href="{LINK}"> &nbsp;&zwnj;\u200b</a> Not Interested?',
        f'<a href="{LINK}" style="display:none">Not Interested?</a>',
        f'<div style="Display : None"><p>{A}</p></div>',
        f"<p hidden>{A}</p>",
        f"<!-- {A} -->",
        f'<div style="font-size:0">{A}</div>',
        f'<div style="font-size:1px">{A}</div>',
        f'<div style="font:0/0 a">{A}</div>',
        f'<div style="font-size:20px"><span style="font-size:1%">{A}</span></div>',
        f'<div style="visibility:hidden">{A}</div>',
        f'<div style="opacity:0">{A}</div>',
        f'<div style="max-height:0;overflow:hidden">{A}</div>',
        f'<div style="position:absolute;left:-9999px">{A}</div>',
        f'<div style="text-indent:-9999px">{A}</div>',
        f'<a href="{LINK}" style="color:#ffffff">Not Interested?</a>',
        f'<a href="{LINK}" style="color:transparent">Not Interested?</a>',
        f'<td bgcolor="#f4f4f4"><a href="{LINK}" style="color:#f5f5f5">Not Interested?</a></td>',
        f"<style>.footer a {{display:none}}</style><div class=footer>{A}</div>",
        f"<style>a {{display:none!important}}</style><a style='display:inline' href='{LINK}'>Not Interested?</a>",
        # A tracking pixel is nothing to press.
        f'<a href="{LINK}"><img src="x.png" width="1" height="1"></a>',
        f'<a href="{LINK}"><img src="x.png" style="width:1px"></a>',
        f'<script>document.write("{LINK}")</script><style>/* {LINK} */</style><template>{A}</template>',
        "",
    ],
)
def test_a_link_that_nobody_sees_is_not(body: str) -> None:
    assert visible_links(body) == []
