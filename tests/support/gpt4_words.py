"""The pattern by which GPT-4's tokenizer cuts words, from the source of tiktoken itself."""

from unittest.mock import patch

import tiktoken_ext.openai_public


def gpt4_pattern() -> str:
    """As tiktoken has it for cl100k_base, without the merges, which it would load from the web."""
    with patch.object(tiktoken_ext.openai_public, "load_tiktoken_bpe", return_value={}):
        return tiktoken_ext.openai_public.cl100k_base()["pat_str"]
