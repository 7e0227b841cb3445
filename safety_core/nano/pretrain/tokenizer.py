"""Trains a byte-level BPE tokenizer, which can encode any prompt.

Digits are single tokens: numbers in pictures are read digit by digit.
"""

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

IMAGE_TOKEN = "<image>"


def train_tokenizer(texts: Iterable[str], vocab_size: int = 1536, max_length: int = 1024) -> PreTrainedTokenizerFast:
    """Train on texts and create LLaVA's tokenizer with ``<s>``, ``</s>``, ``<pad>`` and ``<image>``.

    Args:
        texts: all texts that the nano reads or generates; repetition gives them weight.
        vocab_size: size of the vocabulary with the 256 bytes and the special tokens.
        max_length: longest input of the model in tokens.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<pad>", "<s>", "</s>", IMAGE_TOKEN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": IMAGE_TOKEN},
        padding_side="left",
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )
