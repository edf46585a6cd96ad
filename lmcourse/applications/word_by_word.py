"""The small world of translation word by word: a dictionary, and what a Chinese line says.

Chapter: book/translation.md
"""

# Empty: a word that the Chinese sentence does without.
DICTIONARY = {
    "I": "我", "you": "你", "he": "他", "she": "她", "my": "我的", "her": "她的", "his": "他的",
    "this": "这个", "friend": "朋友", "teacher": "老师", "brother": "哥哥", "sister": "姐姐",
    "neighbor": "邻居", "son": "儿子", "boy": "男孩", "girl": "女孩",
    "am": "是", "is": "是", "are": "是", "not": "不", "do": "", "does": "",
    "a": "一个", "an": "一个",
    "programmer": "程序员", "doctor": "医生", "student": "学生", "writer": "作家", "cook": "厨师",
    "happy": "高兴", "busy": "忙", "tired": "累", "young": "年轻", "tall": "高",
    "like": "喜欢", "likes": "喜欢", "music": "音乐", "tea": "茶", "coffee": "咖啡", "cats": "猫",
    "books": "书", "rain": "雨", "read": "看", "reads": "看", "write": "写", "writes": "写",
    "drink": "喝", "drinks": "喝", "eat": "吃", "eats": "吃", "buy": "买", "buys": "买",
    "sing": "唱", "sings": "唱", "book": "书", "letter": "信", "cup": "杯", "of": "",
    "apple": "苹果",
    "two": "两", "tickets": "票", "song": "歌", "at": "在", "in": "在", "the": "", "home": "家",
    "school": "学校", "park": "公园", "Beijing": "北京", "every": "每", "day": "天",
    "morning": "早上", "evening": "晚上",
}  # fmt: skip

# The shortest English for each Chinese word; where Chinese has one word, so has English.
_MEANINGS = {
    **{chinese: english for english, chinese in DICTIONARY.items() if chinese},
    "是": "be", "一": "one", "两": "two", "一个": "one", "很": "very", "每天": "every-day",
    "喜欢": "like", "看": "read", "写": "write", "喝": "drink", "吃": "eat", "买": "buy",
    "唱": "sing", "书": "book", "在": "at",
    **dict.fromkeys("个本封张首", "measure-word"),
}  # fmt: skip
_LONGEST = max(map(len, _MEANINGS))


def word_by_word(sentence: str) -> str:
    """What a dictionary makes of an English sentence of the small world: the English order stays.

    Example:
        >>> word_by_word("he is tired")
        '他是累'
    """
    words = sentence.split()
    if unknown := [word for word in words if word not in DICTIONARY]:
        raise ValueError(
            f"sentence must consist of words of the dictionary, got {unknown[0]!r} in"
            f" {sentence!r}: see DICTIONARY"
        )
    return "".join(DICTIONARY[word] for word in words)


def gloss(chinese: str) -> str:
    """English below Chinese, word for word; what is no word of the small world stays as it is.

    Example:
        >>> gloss("他晚上唱一首歌")
        'he evening sing one measure-word song'
    """
    found, place = [], 0
    while place < len(chinese):
        ends = range(min(place + _LONGEST, len(chinese)), place, -1)
        word = next(
            (chinese[place:e] for e in ends if chinese[place:e] in _MEANINGS), chinese[place]
        )
        found.append(_MEANINGS.get(word, word))
        place += len(word)
    return " ".join(found)
