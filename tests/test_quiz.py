"""lmcourse.quiz and its module in the browser: keys that are computed, answers that stay there."""

import json
import re

import pytest

from lmcourse.quiz import Question, quiz

WEIGHTS = Question(
    "Three *equal* scores: what is each weight?",
    {"1": "The weights of a row sum to 1.", "1/3": "Equal scores share alike.", "`NaN`": "Of <0?"},
    key="1/3",
)
MASK = Question("May `t` look ahead?", {"no": "It is causal.", "yes": "Not here."}, key="no")


def data_of(figure):
    return json.loads(re.search(r'application/json">(.*?)</script>', figure._repr_html_())[1])


def test_the_data_say_which_choice_is_right_and_why_each():
    questions = data_of(quiz("tiny", [WEIGHTS, MASK]))["questions"]
    assert [[each["right"] for each in question["choices"]] for question in questions] == [
        [False, True, False],
        [True, False],
    ]
    assert all(choice["why"] for question in questions for choice in question["choices"])
    assert questions[0]["text"] == [
        {"text": "Three ", "tag": ""},
        {"text": "equal", "tag": "em"},
        {"text": " scores: what is each weight?", "tag": ""},
    ]


def test_without_scripts_the_answer_is_folded_below_its_question():
    shown = quiz("tiny", [WEIGHTS])._repr_html_().split("<script")[0]
    assert "Three <em>equal</em> scores" in shown
    assert "<code>NaN</code>" in shown
    fold = re.search(r"<details>(.*?)</details>", shown)[1]
    assert "<b>1/3.</b> Equal scores share alike." in fold
    assert "sum to 1" not in shown


def test_what_looks_like_a_tag_is_text():
    script = Question("Is </script> safe?", {"<b>yes</b>": "It is.", "no": "It is."}, key="no")
    shown = quiz("tiny", [script])._repr_html_()
    assert shown.count("</script>") == 1
    assert "&lt;b&gt;yes&lt;/b&gt;" in shown
    assert data_of(quiz("tiny", [script]))["questions"][0]["choices"][0]["key"] == "<b>yes</b>"


def test_a_key_that_no_choice_says_ends_the_build():
    with pytest.raises(ValueError, match=r"one of the choices, 'a', 'b', got '0\.5'"):
        Question("Which?", {"a": "So.", "b": "Or so."}, key="0.5")


@pytest.mark.parametrize("choices", [{"a": "So."}, {"a": "So.", "b": ""}])
def test_a_question_has_two_choices_each_with_its_reason(choices):
    with pytest.raises(ValueError, match="two or more, each with its reason"):
        Question("Which?", choices, key="a")


@pytest.mark.parametrize(
    ("questions", "words"), [([], "got 0"), ([MASK] * 5, "got 5"), ([MASK, MASK], "must differ")]
)
def test_a_quiz_has_a_few_questions_that_differ(questions, words):
    with pytest.raises(ValueError, match=words):
        quiz("tiny", questions)


def test_its_words_are_its_questions():
    assert repr(quiz("tiny", [WEIGHTS])) == "Quiz: Three equal scores: what is each weight?"


# quiz.js
def test_choosing_by_keyboard_says_why_and_a_second_choice_replaces_the_first(live_page):
    page = live_page(quiz("tiny", [WEIGHTS, MASK]))
    assert not page.get_by_text("The answer").first.is_visible()
    verdict = page.get_by_role("status")
    first = page.get_by_role("button", name="1", exact=True)
    first.focus()
    page.keyboard.press("Enter")
    assert verdict.nth(0).inner_text() == "Not quite. The weights of a row sum to 1."
    assert first.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert verdict.nth(0).inner_text() == "Right. Equal scores share alike."
    assert first.get_attribute("aria-pressed") == "false"
    assert verdict.nth(1).inner_text() == ""


def test_each_key_is_the_one_that_python_computed(live_page):
    page = live_page(quiz("tiny", [WEIGHTS, MASK]))
    for question in (WEIGHTS, MASK):
        for choice, why in question.choices.items():
            text = choice.replace("`", "")
            page.get_by_role("button", name=text, exact=True).click()
            said = "Right." if choice == question.key else "Not quite."
            assert page.get_by_text(f"{said} {why}").is_visible()


def test_answers_are_kept_in_the_browser_until_the_reader_starts_again(live_page):
    page = live_page(quiz("tiny", [WEIGHTS, MASK]))
    page.get_by_role("button", name="yes").click()
    page.reload()
    page.wait_for_selector("figure.lm-mounted")
    assert page.get_by_text("Not quite. Not here.").is_visible()
    assert page.context.cookies() == []
    page.get_by_role("button", name="Start again").click()
    assert page.get_by_text("Not quite.").count() == 0
    page.reload()
    page.wait_for_selector("figure.lm-mounted")
    assert page.get_by_text("Not quite.").count() == 0


def test_where_nothing_can_be_stored_the_quiz_works_all_the_same(live_stage):
    page = live_stage.open(quiz("tiny", [MASK]))
    forbid = "Storage.prototype.setItem = Storage.prototype.getItem = () => { throw Error('no') }"
    page.add_init_script(forbid)
    page.reload()
    page.wait_for_selector("figure.lm-mounted")
    page.get_by_role("button", name="no").click()
    assert page.get_by_text("Right. It is causal.").is_visible()


def test_in_a_browser_without_scripts_the_answers_can_be_unfolded(live_page):
    page = live_page(quiz("tiny", [MASK]), script=False)
    page.get_by_text("The answer").click()
    assert page.get_by_text("It is causal.").is_visible()
    assert page.get_by_role("button").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_answers_are_legible_in_both_themes_and_on_a_phone(live_page, theme, width):
    page = live_page(quiz("tiny", [WEIGHTS, MASK]), theme=theme, width=width)
    page.get_by_role("button", name="1", exact=True).click()
    page.get_by_role("button", name="no").click()
