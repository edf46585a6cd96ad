"""The map of tasks: understanding and generating language, one example of each task, as data.

Chapter: book/neurons.md

Every task is the same network with another last layer. What a task needs is told by four things:
what comes in, what goes out, the *head* that puts it out, and the number that says how good it is.
"""

from dataclasses import dataclass

# What the last layer puts out, and its width.
HEADS = {
    "one label": "a logit for each class, once for the text",
    "any labels": "a logit for each label, each a yes or no of its own",
    "a label for each token": "a logit for each class, at every token",
    "a span": "two logits at every token: does the answer begin here, does it end here?",
    "the next token": "a logit for each token of the vocabulary, again and again",
    "the next sound": "numbers that describe a short piece of sound, again and again",
}
UNDERSTANDING, GENERATION = "understanding", "generation"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of language processing, with one example.

    Args:
        name: in English.
        chinese: as the five articles call it.
        system: its number in the course's list of systems.
        chapter: where it is built, or will be.
        kind: understanding, if the answer is chosen among given ones; generation, if it is written.
        given: what the network reads, of the example.
        answer: what it should say.
        head: what its last layer puts out; one of HEADS.
        metrics: how answers are judged; the names of functions of lmcourse.metrics where there
            are such.
    """

    name: str
    chinese: str
    system: str
    chapter: str
    kind: str
    given: str
    answer: str
    head: str
    metrics: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, known in (("kind", (UNDERSTANDING, GENERATION)), ("head", tuple(HEADS))):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {name}={value!r}")


TASKS = (
    Task(
        name="sentiment analysis",
        chinese="情感分析",
        system="S61",
        chapter="classification",
        kind=UNDERSTANDING,
        given="Not bad at all!",
        answer="praise",
        head="one label",
        metrics=("accuracy", "confusion_matrix"),
    ),
    Task(
        name="topic and news classification",
        chinese="文本分类",
        system="S61",
        chapter="classification",
        kind=UNDERSTANDING,
        given="The keeper saved a penalty, and the club its millions.",
        answer="sport, money",
        head="any labels",
        metrics=("precision_recall_f1",),
    ),
    Task(
        name="named-entity recognition",
        chinese="命名实体识别",
        system="S62",
        chapter="tagging",
        kind=UNDERSTANDING,
        given="Jordan flew to Jordan.",
        answer="PERSON – – PLACE",
        head="a label for each token",
        metrics=("span F1",),
    ),
    Task(
        name="semantic role labeling",
        chinese="语义角色标注",
        system="S63",
        chapter="tagging",
        kind=UNDERSTANDING,
        given="The dog was bitten by the cat. (bitten)",
        answer="the dog: who was bitten; the cat: who bit",
        head="a label for each token",
        metrics=("span F1",),
    ),
    Task(
        name="question answering",
        chinese="问答",
        system="S65",
        chapter="question_answering",
        kind=UNDERSTANDING,
        given="Ada wrote the first program in 1843. – When?",
        answer="1843, from the seventh word to the seventh",
        head="a span",
        metrics=("exact match", "overlap F1"),
    ),
    Task(
        name="semantic parsing",
        chinese="语义解析",
        system="S64",
        chapter="parsing",
        kind=GENERATION,
        given="twice the sum of two and three",
        answer="(* 2 (+ 2 3))",
        head="the next token",
        metrics=("exact match", "the result when it is run"),
    ),
    Task(
        name="speech recognition",
        chinese="语音识别",
        system="S68",
        chapter="speech",
        kind=GENERATION,
        given="two seconds of sound",
        answer="I am a programmer",
        head="a label for each token",
        metrics=("word error rate",),
    ),
    Task(
        name="machine translation",
        chinese="机器翻译",
        system="S59",
        chapter="translation",
        kind=GENERATION,
        given="I am a programmer",
        answer="我是一个程序员",
        head="the next token",
        metrics=("bleu", "chrf"),
    ),
    Task(
        name="summarization",
        chinese="文本摘要",
        system="S60",
        chapter="summarization",
        kind=GENERATION,
        given="It rained all night. The river rose. By noon the bridge was closed.",
        answer="Flood closes bridge.",
        head="the next token",
        metrics=("words shared with what a person wrote",),
    ),
    Task(
        name="text generation",
        chinese="文本生成",
        system="S67",
        chapter="generation",
        kind=GENERATION,
        given="Once upon a time",
        answer="there was a cat who could count.",
        head="the next token",
        metrics=("perplexity", "people"),
    ),
    Task(
        name="code generation",
        chinese="代码",
        system="S67",
        chapter="parsing",
        kind=GENERATION,
        given="# the larger of a and b",
        answer="a if a > b else b",
        head="the next token",
        metrics=("does it run, and pass the tests?",),
    ),
    Task(
        name="dialogue and assistants",
        chinese="对话系统",
        system="S66",
        chapter="dialogue",
        kind=GENERATION,
        given="My name is Ada. – Hello, Ada! – What is my name?",
        answer="Your name is Ada.",
        head="the next token",
        metrics=("people", "tasks done"),
    ),
    Task(
        name="image captions",
        chinese="图像",
        system="S71",
        chapter="outlook",
        kind=GENERATION,
        given="a picture of a red square",
        answer="a red square",
        head="the next token",
        metrics=("bleu", "people"),
    ),
    Task(
        name="speech synthesis",
        chinese="语音合成",
        system="S69",
        chapter="speech",
        kind=GENERATION,
        given="I am a programmer",
        answer="two seconds of sound",
        head="the next sound",
        metrics=("people", "word error rate of who listens"),
    ),
)


def tasks_of(kind: str) -> tuple[Task, ...]:
    """The tasks of understanding, or those of generation."""
    found = tuple(task for task in TASKS if task.kind == kind)
    if not found:
        raise ValueError(f"kind must be {UNDERSTANDING} or {GENERATION}, got kind={kind!r}")
    return found
