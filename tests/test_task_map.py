"""lmcourse.task_map names every task of the articles once, with its chapter of the book."""

import dataclasses
import re

import pytest
from book_pages import chapters, read_page

from lmcourse import metrics
from lmcourse.corpora import HELD_OUT_PAIR
from lmcourse.task_map import GENERATION, HEADS, TASKS, UNDERSTANDING, tasks_of

# The tasks that the five articles name, as SOURCES lists them: 文本分类 is theirs for topics and
# news, 代码 one of the kinds of 文本生成 in C §3.4, 智能助手 and 聊天机器人 are kinds of 对话系统.
NAMED = {
    "情感分析", "文本分类", "命名实体识别", "语义角色标注", "语义解析", "问答", "机器翻译",
    "文本摘要", "文本生成", "代码", "对话系统", "语音识别", "语音合成", "图像",
}  # fmt: skip
# The systems that are tasks: S59 to S69, and images beside text.
SYSTEMS = {f"S{number}" for number in (*range(59, 70), 71)}

each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def chapters_of():
    """What the book's table of systems says: the chapters of each."""
    rows = re.findall(r"^\| (S\d\d) \| [^|]+ \| ([^|]+) \|$", read_page("sources").text, re.M)
    return {
        system: set(re.findall(r"\w+", re.sub(r"\(\w+\.md\)", "", cell))) for system, cell in rows
    }


def test_every_task_of_the_articles_is_there_once():
    assert sorted(task.chinese for task in TASKS) == sorted(NAMED)
    assert {task.system for task in TASKS} == SYSTEMS
    names = [task.name for task in TASKS]
    assert len(names) == len(set(names))


@each_task
def test_a_task_belongs_to_the_chapter_that_the_table_of_systems_gives_it(task):
    also = {"generation"} if task.system == "S67" else set()  # text there, code in parsing
    assert task.chapter in chapters_of()[task.system] | also


@each_task
def test_a_task_is_told_whole(task):
    for field in dataclasses.fields(task):
        assert getattr(task, field.name), field.name
    assert task.given != task.answer


def test_understanding_chooses_and_generation_writes():
    assert {*tasks_of(UNDERSTANDING), *tasks_of(GENERATION)} == {*TASKS}
    assert not {task.head for task in tasks_of(UNDERSTANDING)} & {
        "the next token",
        "the next sound",
    }
    written = {task.head for task in tasks_of(GENERATION)}
    # Speech recognition labels each piece of sound, and so writes.
    assert written == {"the next token", "the next sound", "a label for each token"}
    assert {task.head for task in TASKS} == set(HEADS)


@each_task
def test_the_map_of_the_page_shows_each_task_and_links_to_the_chapters_that_stand(task):
    name = f"[{task.name}]({task.chapter}.md)" if task.chapter in chapters() else task.name
    named = [f"`{each}`" if hasattr(metrics, each) else each for each in task.metrics]
    example = f"{task.given} → {task.answer}".replace("*", r"\*")
    row = f"| {name} | {example} | {task.head} | {', '.join(named)} |"
    assert row in read_page("neurons").section("many tasks").splitlines()


def test_the_map_of_the_page_has_no_row_beyond_the_tasks():
    lines = read_page("neurons").section("many tasks").splitlines()
    assert sum(line.startswith("| ") and " → " in line for line in lines) == len(TASKS)


@each_task
def test_a_metric_that_is_written_as_a_function_is_one(task):
    for metric in task.metrics:
        if "_" in metric or (metric.islower() and " " not in metric):
            assert metric in ("people",) or callable(getattr(metrics, metric))


def test_the_sentence_of_the_article_is_the_example_of_translation():
    task = next(task for task in TASKS if task.system == "S59")
    assert (task.given, task.answer) == HELD_OUT_PAIR


def test_a_task_of_an_unknown_kind_or_head_is_refused():
    for change, words in (
        ({"kind": "guessing"}, "kind must be one of"),
        ({"head": "x"}, "head must"),
    ):
        with pytest.raises(ValueError, match=words):
            dataclasses.replace(TASKS[0], **change)
    with pytest.raises(ValueError, match="kind must be understanding or generation, got kind='x'"):
        tasks_of("x")
