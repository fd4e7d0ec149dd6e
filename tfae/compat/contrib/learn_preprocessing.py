"""TF1's `tf.contrib.learn.preprocessing`: texts as vectors of word numbers."""

import collections
import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

__all__ = ['ByteProcessor', 'CategoricalVocabulary', 'VocabularyProcessor', 'tokenizer']

_TOKENS = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z][a-z]+(?=[A-Z])|['\w\-]+")


def tokenizer(iterator: Iterable[str]) -> Iterator[list[str]]:
    """Yields the words of each text."""
    for text in iterator:
        yield _TOKENS.findall(text)


class CategoricalVocabulary:
    """Words and their numbers, in order of appearance; 0 is an unknown word."""

    # The attributes have TF1's names: programs read `_mapping`, and files of `save` hold them all.
    def __init__(self, unknown_token: str = '<UNK>', support_reverse: bool = True):
        self._unknown_token = unknown_token
        self._mapping = {unknown_token: 0}
        self._reverse_mapping = [unknown_token]
        self._freq: collections.Counter = collections.Counter()
        self._freeze = False

    def __len__(self) -> int:
        return len(self._mapping)

    def freeze(self, freeze: bool = True) -> None:
        """Sets whether new words are unknown."""
        self._freeze = freeze

    def get(self, category: str) -> int:
        """Returns the number of a word, which a vocabulary that is not frozen adds."""
        if category not in self._mapping:
            if self._freeze:
                return 0
            self._mapping[category] = len(self._reverse_mapping)
            self._reverse_mapping.append(category)
        return self._mapping[category]

    def add(self, category: str, count: int = 1) -> None:
        """Counts a word."""
        if self.get(category):
            self._freq[category] += count

    def trim(self, min_frequency: int, max_frequency: int = -1) -> None:
        """Keeps the words with higher counts, numbered by their counts."""
        kept = {
            word: count
            for word, count in self._freq.items()
            if count > min_frequency and not 0 < max_frequency <= count
        }
        self._freq = collections.Counter(kept)
        self._reverse_mapping = [
            self._unknown_token,
            *sorted(kept, key=lambda word: (-kept[word], word)),
        ]
        self._mapping = {word: number for number, word in enumerate(self._reverse_mapping)}

    def reverse(self, class_id: int) -> str:
        """Returns the word of a number."""
        return self._reverse_mapping[class_id]


class VocabularyProcessor:
    """Texts as vectors of the numbers of their words."""

    def __init__(
        self,
        max_document_length: int,
        min_frequency: int = 0,
        vocabulary: Any = None,
        tokenizer_fn: Callable | None = None,
    ):
        """Sets the options.

        Args:
          max_document_length: length of the vectors: longer texts are cut, shorter ones end with 0.
          min_frequency: words that come as often or less often are unknown.
          vocabulary: a `CategoricalVocabulary` to use.
          tokenizer_fn: replaces `tokenizer`.
        """
        self.max_document_length = max_document_length
        self.min_frequency = min_frequency
        self.vocabulary_ = vocabulary or CategoricalVocabulary()
        self._tokenizer = tokenizer_fn or tokenizer

    def fit(self, raw_documents: Iterable[str], unused_y: None = None) -> 'VocabularyProcessor':
        """Learns the vocabulary of texts."""
        for words in self._tokenizer(raw_documents):
            for word in words:
                self.vocabulary_.add(word)
        if self.min_frequency > 0:
            self.vocabulary_.trim(self.min_frequency)
        self.vocabulary_.freeze()
        return self

    def transform(self, raw_documents: Iterable[str]) -> Iterator[np.ndarray]:
        """Yields the vector `[max_document_length]` of each text."""
        for words in self._tokenizer(raw_documents):
            vector = np.zeros(self.max_document_length, np.int64)
            known = [self.vocabulary_.get(word) for word in words[: self.max_document_length]]
            vector[: len(known)] = known
            yield vector

    def fit_transform(
        self, raw_documents: Iterable[str], unused_y: None = None
    ) -> Iterator[np.ndarray]:
        """Learns the vocabulary of texts, then yields their vectors."""
        return self.fit(raw_documents).transform(raw_documents)

    def reverse(self, documents: Iterable[Iterable[int]]) -> Iterator[str]:
        """Yields the text of each vector."""
        for vector in documents:
            yield ' '.join(self.vocabulary_.reverse(number) for number in vector)

    def save(self, filename: str) -> None:
        """Writes the processor to a file."""
        with tf.gfile.Open(filename, 'wb') as file:
            file.write(pickle.dumps(self))

    @classmethod
    def restore(cls, filename: str) -> 'VocabularyProcessor':
        """Returns the processor of a file that `save` wrote; unpickles: load trusted files only."""
        with tf.gfile.Open(filename, 'rb') as file:
            return pickle.loads(file.read())


class ByteProcessor:
    """Texts as vectors of the bytes of their UTF-8 form."""

    def __init__(self, max_document_length: int):
        self.max_document_length = max_document_length

    def fit(self, x: Iterable) -> None:
        """Does nothing."""

    def fit_transform(self, x: Iterable[str | bytes]) -> Iterator[np.ndarray]:
        """Yields the vectors of texts."""
        return self.transform(x)

    def transform(self, x: Iterable[str | bytes]) -> Iterator[np.ndarray]:
        """Yields the vector `[max_document_length]` of each text."""
        for text in x:
            content = text.encode() if isinstance(text, str) else text
            content = content[: self.max_document_length]
            yield np.frombuffer(content.ljust(self.max_document_length, b'\0'), np.uint8)

    def reverse(self, x: Iterable[np.ndarray]) -> Iterator[str]:
        """Yields the text of each vector; '' for bytes that are none."""
        for vector in x:
            content = vector.astype(np.uint8).tobytes().rstrip(b'\0')
            try:
                yield content.decode()
            except UnicodeDecodeError:
                yield ''
