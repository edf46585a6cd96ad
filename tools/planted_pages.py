"""Pages of the book with one fault each, which only the browser gate finds."""

# (what is wrong, the page's name, its text, what the gate says)
PAGES_WITH_FAULTS = [
    (
        "a foreign request", "request",
        '<script>fetch("https://example.org/a.json").catch(() => 0)</script>\n',
        "nothing may be loaded from another host",
    ),
    (
        "an axe violation", "pale",
        '<p style="color: #bbb; background: #fff">pale words</p>\n',
        "axe color-contrast",
    ),
    (
        "an axe violation in the dark alone", "dark",
        """<style>html[data-theme="dark"] .q {color: #444; background: #000}</style>
<p class="q">pale words</p>\n""",
        "axe color-contrast",
    ),
    (
        "an axe violation on a phone alone", "phone",
        "<style>@media (max-width: 500px) {.q {color: #bbb; background: #fff}}</style>\n"
        '<p class="q">pale words</p>\n',
        "axe color-contrast",
    ),
    (
        "a dead link", "link",
        '<a href="gone.html">a link</a>\n', "a link must lead to a file",
    ),
    (
        "an error in the console", "console",
        '<script>console.error("planted")</script>\n', "the console must be empty",
    ),
    (
        "a formula that is not rendered", "formula",
        '<span class="math nohighlight tex2jax_ignore mathjax_ignore">x</span>\n',
        r"all \d+ formulas must be rendered",
    ),
    (
        "a page that is wider than a phone", "wide",
        '<div style="width: 600px">wide</div>\n', "the page must not be wider",
    ),
    (
        "a picture without a description", "svg",
        '<svg viewBox="0 0 1 1"><rect width="1" height="1"/></svg>\n',
        "an svg must have an aria-label",
    ),
    (
        "words that are cut off", "cut",
        '<div style="overflow: hidden; width: 90px"><span style="white-space: nowrap">More words'
        " than the box has room for</span></div>\n",
        r"nothing may be cut off, got \d+ px of div",
    ),
    (
        "a plot that a phone cuts off", "plot",
        '<figure class="lm-picture" style="overflow: hidden"><svg role="img" aria-label="a plot"'
        ' viewBox="0 0 9 9" style="max-width: none; width: 500px"></svg></figure>\n',
        "(nothing may be cut off|a drawing must fit its figure), got",
    ),
    (
        "a box that scrolls without a sign", "scroll",
        '<div style="overflow: auto; width: 90px" tabindex="0"><span style="white-space: nowrap">'
        "More words than the box has room for</span></div>\n",
        "a box that scrolls must fade where it goes on",
    ),
    (
        "words of a drawing outside of it", "words",
        '<svg role="img" aria-label="a drawing" viewBox="0 0 90 20" width="90" height="20">'
        '<text x="60" y="15">more words</text></svg>\n',
        "words of a drawing must lie inside it",
    ),
    (
        "a table printed as pipes", "pipes",
        "<p>| a | b |<br>| --- | --- |<br>| 1 | 2 |</p>\n",
        "a table must not be printed as pipes",
    ),
    (
        "a bullet on a border", "bullet",
        '<div style="border-left: 3px solid"><ul style="padding-left: 0"><li>one</li></ul></div>\n',
        "a bullet must not lie on a border",
    ),
    (
        "a title under its button", "button",
        '<div style="position: relative; width: 90px"><p class="admonition-title">A long title'
        '<button style="position: absolute; right: 0">Show</button></p></div>\n',
        "a title must end before its button",
    ),
]  # fmt: skip
