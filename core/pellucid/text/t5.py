"""Encoder-decoders of the library transformers as frozen text models: a random T5, or a published model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from pellucid.errors import RunError, StudyError
from pellucid.text.hub import GIVE, refuse_unreachable
from pellucid.text.models import OfItsWords, TextModel, TextStates
from pellucid.text.settings import Pretrained, SmallT5
from pellucid.text.words import END, PAD, Vocabulary, lacking, words_of

TEACHING_RATE, TEACHING_BATCH = 3e-3, 32

IGNORED = -100
"""Label of padding, of which the cross-entropy of transformers takes no notice."""


class EncoderDecoder(TextModel):
    """What both kinds share: reading by the encoder, writing by the decoder from any states in its encoder's place."""

    settings: Any
    writes = True

    def model(self) -> Any:
        """The model of transformers, on the device of the head."""
        raise NotImplementedError

    def numbers(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Numbers of the tokens of texts, padded, and where they are real; shape (text, position) each."""
        raise NotImplementedError

    def words(self, ids: Tensor) -> list[str]:
        """Texts of numbers."""
        raise NotImplementedError

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> TextStates:
        """What the encoder says of each token."""
        ids, known = self.numbers([self.settings.prefix + text for text in texts])
        said = self.model().get_encoder()(input_ids=ids, attention_mask=known.long())
        return TextStates(said.last_hidden_state.float(), known)

    def cross_entropy(self, states: Tensor, texts: Sequence[str], known: Tensor | None = None) -> Tensor:
        """By the decoder, which sees the true words before each one."""
        ids, real = self.numbers(texts)
        said = self.model()(**self._given(states, known), labels=ids.masked_fill(~real, IGNORED))
        loss: Tensor = said.loss
        return loss.float()

    def log_probability(self, states: Tensor, known: Tensor | None, texts: Sequence[str]) -> Tensor:
        """By the decoder, summed over the words of each text."""
        ids, real = self.numbers(texts)
        said = self.model()(**self._given(states, known), labels=ids.masked_fill(~real, IGNORED))
        each: Tensor = said.logits.float().log_softmax(-1).gather(2, ids[..., None])[..., 0]
        return (each * real).sum(1)

    @torch.no_grad()
    def write(self, states: Tensor, known: Tensor | None = None) -> list[str]:
        """By the decoder, token by token, with as many beams as are set."""
        ids = self.model().generate(
            **self._given(states, known),
            max_new_tokens=self.settings.length,
            num_beams=self.settings.beams,
            do_sample=False,
        )
        return self.words(ids)

    def _given(self, states: Tensor, known: Tensor | None) -> dict[str, Any]:
        """States in the place of those of its encoder."""
        there = torch.ones(states.shape[:2], device=states.device) if known is None else known
        return {
            "encoder_outputs": BaseModelOutput(last_hidden_state=states.to(self.model().dtype)),
            "attention_mask": there.long(),
        }


class RandomT5(OfItsWords, EncoderDecoder):
    """A small T5 over the words of the training side, taught nothing but, where that is set, to write again what it reads.

    Parameters
    ----------
    settings : SmallT5
    """

    settings: SmallT5

    def __init__(self, settings: SmallT5) -> None:
        super().__init__()
        self.settings = settings
        self.vocabulary = Vocabulary(settings.vocabulary)
        config = T5Config(
            vocab_size=settings.vocabulary,
            d_model=settings.width,
            d_kv=settings.width // settings.heads,
            d_ff=4 * settings.width,
            num_layers=settings.layers,
            num_decoder_layers=settings.layers,
            num_heads=settings.heads,
            dropout_rate=0.0,
            pad_token_id=PAD,
            eos_token_id=END,
        )
        config.decoder_start_token_id = PAD
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.frozen = T5ForConditionalGeneration(config).eval().requires_grad_(False)

    @property
    def width(self) -> int:
        """As set."""
        return self.settings.width

    def train(self, mode: bool = True) -> RandomT5:
        """It stays as it is: nothing in it learns."""
        return super().train(False)

    def learn(self, texts: Iterable[str]) -> None:
        """The commonest words, with those of the prefix; and, where that is set, to write again what it reads."""
        known = list(texts)
        self.vocabulary.learn(self.settings.prefix + text for text in known)
        if self.settings.taught:
            self._teach(sorted(set(known)))

    def _teach(self, texts: list[str]) -> None:
        device = self.vocabulary.table.device
        self.frozen.requires_grad_(True)
        learning = torch.optim.Adam(self.frozen.parameters(), lr=TEACHING_RATE)
        chance = torch.Generator().manual_seed(self.settings.seed)
        with torch.enable_grad():
            for _ in range(self.settings.taught):
                drawn = torch.randint(len(texts), (min(TEACHING_BATCH, len(texts)),), generator=chance).tolist()
                read, known = self.numbers([self.settings.prefix + texts[at] for at in drawn])
                written, real = self.numbers([texts[at] for at in drawn])
                loss = self.frozen(
                    input_ids=read.to(device), attention_mask=known.long(), labels=written.masked_fill(~real, IGNORED)
                ).loss
                learning.zero_grad()
                loss.backward()
                learning.step()
        self.frozen.requires_grad_(False)

    def model(self) -> Any:
        """The T5."""
        return self.frozen

    def numbers(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """By the vocabulary."""
        ids = self.vocabulary.encode(texts, self.settings.length)
        return ids, ids != PAD

    def words(self, ids: Tensor) -> list[str]:
        """By the vocabulary; the first token is the sign to begin."""
        return self.vocabulary.decode(ids[:, 1:])


class PublishedModel(EncoderDecoder):
    """A published encoder-decoder. Its weights stay where they are: with a head it is saved which they were, and no more.

    Parameters
    ----------
    settings : Pretrained

    Raises
    ------
    StudyError
        If it is not there, is no encoder-decoder, or its weights are no safetensors.
    """

    settings: Pretrained
    weights: Tensor

    def __init__(self, settings: Pretrained) -> None:
        super().__init__()
        self.settings = settings
        folder = Path(settings.name).expanduser()
        try:
            if folder.is_dir():
                self._tokenizer, model = _opened(settings, str(folder), local_files_only=True)
            else:
                self._tokenizer, model = _opened_by_name(settings)
        except (OSError, ValueError, ImportError) as error:
            told = str(error).strip().partition("\n")[0]
            raise StudyError(
                f"text model {settings.name!r} cannot be opened: {told}. {GIVE}, or a name that can be downloaded"
            ) from None
        # In a list, so that it is neither counted nor saved as a part of the head.
        self._held = [model.eval().requires_grad_(False)]
        self._checked = False
        self.register_buffer("weights", torch.zeros(16, dtype=torch.uint8))

    @property
    def width(self) -> int:
        """Of its encoder."""
        return int(self._held[0].config.d_model)

    def learn(self, texts: Iterable[str]) -> None:
        """Remember which weights it has."""
        self.weights.copy_(self._digest())
        self._checked = True

    def lacking(self, text: str, taught: Iterable[str] = ()) -> tuple[str, ...]:
        """By its own tokenizer: words in which it has its sign for what is unknown, or nothing."""
        unknown = self._tokenizer.unk_token_id
        pieces = {word: self._tokenizer(word, add_special_tokens=False)["input_ids"] for word in words_of(text)}
        return lacking(text, {word for word, ids in pieces.items() if ids and unknown not in ids})

    def model(self) -> Any:
        """The model, where its weights are those that a head has learnt to speak to."""
        if not self._checked and bool(self.weights.any()):
            if not torch.equal(self.weights.cpu(), self._digest()):
                raise RunError(
                    f"text model {self.settings.name!r} has other weights than those that this head has learnt to speak to: "
                    "give the folder or the revision that it was trained with"
                )
            self._checked = True
        return self._held[0].to(self.weights.device)

    def numbers(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """By its own tokenizer."""
        found = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.settings.length, return_tensors="pt"
        )
        device = self.weights.device
        return found["input_ids"].to(device), found["attention_mask"].bool().to(device)

    def words(self, ids: Tensor) -> list[str]:
        """By its own tokenizer."""
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def _digest(self) -> Tensor:
        total = hashlib.blake2b(digest_size=16)
        for name, value in sorted(self._held[0].state_dict().items()):
            total.update(name.encode())
            total.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return torch.frombuffer(bytearray(total.digest()), dtype=torch.uint8).clone()


def _opened_by_name(settings: Pretrained) -> tuple[Any, Any]:
    """From what was fetched before, or else from the hub."""
    try:
        return _opened(settings, settings.name, revision=settings.revision, local_files_only=True)
    except OSError:
        refuse_unreachable(settings.name, settings.revision)
        return _opened(settings, settings.name, revision=settings.revision)


def _opened(settings: Pretrained, source: str, **asked: Any) -> tuple[Any, Any]:
    """Tokenizer and model; code that comes with them is never run."""
    from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer

    asked["trust_remote_code"] = False
    config = AutoConfig.from_pretrained(source, **asked)
    if not config.is_encoder_decoder:
        raise StudyError(f"text model {settings.name!r} is no encoder-decoder but a {config.model_type}")
    tokenizer = AutoTokenizer.from_pretrained(source, **asked)
    dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
    model = AutoModelForSeq2SeqLM.from_pretrained(source, config=config, use_safetensors=True, dtype=dtype, **asked)
    return tokenizer, model
