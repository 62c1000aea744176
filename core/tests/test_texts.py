"""Text models, and scores of written text against values worked out by hand."""

import json
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from pellucid.errors import RunError, StudyError
from pellucid.text.models import text_model
from pellucid.text.scores import bleu, bleu_counts, rouge1_recall
from pellucid.text.settings import Pretrained, SmallT5, Tables
from pellucid.text.words import END, PAD, UNKNOWN, Vocabulary

TEXTS = ["the old heron follows a kite", "the small heron carries a letter at dawn", "a kite"]


# --- scores -----------------------------------------------------------------------------------------------------------


def test_bleu_of_one_text_is_what_a_pencil_says():
    counts = bleu_counts(["the cat sat on mats"], [["the cat sat on the mat today", "a cat is on it"]])
    # 4 of 5 words (the, cat, sat, on), 3 of 4 pairs; 5 words long, and the nearer reference has 5: no penalty.
    one = np.ones(1)
    assert bleu(counts, one, 1) == pytest.approx(4 / 5)
    assert bleu(counts, one, 2) == pytest.approx(math.sqrt(4 / 5 * 3 / 4))


def test_a_text_that_is_too_short_is_penalised_and_a_repeated_word_counts_once():
    counts = bleu_counts(["the the the"], [["the cat is on mats"]])
    assert bleu(counts, np.ones(1), 1) == pytest.approx(1 / 3 * math.exp(1 - 5 / 3))


def test_bleu_of_a_corpus_is_no_mean_over_texts_and_is_what_sacrebleu_says():
    from sacrebleu.metrics import BLEU

    written = ["the cat ran", "a heron follows the red kite at dawn", "zebra"]
    references = [
        ["the cat stood", "a cat sat"],
        ["the heron follows a kite at dawn", "at dawn"],
        ["the old dog", "dog"],
    ]
    counts = bleu_counts(written, references)
    for order in (1, 2):
        theirs = BLEU(lowercase=True, max_ngram_order=order, smooth_method="none").corpus_score(
            written, [list(column) for column in zip(*references, strict=True)]
        )
        ours = float(bleu(counts, np.ones(3), order))
        assert ours == pytest.approx(theirs.score / 100)
        assert abs(ours - np.mean([float(bleu(counts, w, order)) for w in np.eye(3)])) > 0.01


def test_weights_stand_for_how_often_a_text_is_in_the_corpus():
    written, references = ["the cat", "a dog sat"], [["the cat sat"], ["the dog"]]
    doubled = bleu(bleu_counts([*written, written[1]], [*references, references[1]]), np.ones(3), 1)
    assert bleu(bleu_counts(written, references), np.array([[1.0, 2.0], [1.0, 1.0]]), 1)[0] == pytest.approx(doubled)


def test_nothing_right_or_nothing_written_is_nought():
    counts = bleu_counts(["zebra", ""], [["the cat"], ["the cat"]])
    assert bleu(counts, np.ones(2), 1) == 0
    assert bleu(counts, np.array([0.0, 1.0]), 2) == 0


def test_rouge_recall_is_the_share_of_the_true_words_of_the_best_reference():
    assert rouge1_recall(["a kite at dawn"], [["the kite at noon", "dawn"]]).tolist() == [1.0]
    assert rouge1_recall(["a kite"], [["the old kite flies", "one kite"]]).tolist() == [0.5]


def test_case_does_not_count_and_other_forms_of_a_word_do():
    counts = bleu_counts(["The Cat"], [["the cat"]])
    assert bleu(counts, np.ones(1), 2) == 1
    assert rouge1_recall(["the cats walked"], [["The cat walks"]]).tolist() == pytest.approx([1 / 3])


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_vocabulary_knows_the_commonest_words_and_travels_in_a_state_dict():
    words = Vocabulary(6)
    words.learn(TEXTS)
    assert set(words.numbers) == {"a", "heron", "kite"}
    ids = words.encode(["A kite, a heron"], 10)
    assert ids.tolist() == [
        [words.numbers["a"], words.numbers["kite"], UNKNOWN, words.numbers["a"], words.numbers["heron"], END]
    ]
    again = Vocabulary(6)
    again.load_state_dict(words.state_dict())
    assert again.decode(ids) == ["a kite ? a heron"]


def test_what_is_learnt_again_is_not_what_was_known_before():
    words = Vocabulary(8)
    words.learn(["zebra"])
    assert "zebra" in words.numbers
    words.learn(["heron"])
    assert set(words.numbers) == {"heron"}


def test_long_texts_are_cut_and_words_of_other_scripts_stay_whole():
    words = Vocabulary(32)
    words.learn(["привет мир", "ä" * 100])
    assert "привет" in words.numbers
    assert words.encode(["мир " * 50], 5).shape == (1, 5)
    assert all(len(word.encode()) <= 32 for word in words.numbers)


@pytest.mark.parametrize("settings", [Tables(width=16, vocabulary=32), SmallT5(width=16, vocabulary=32, heads=2)])
def test_a_text_is_read_as_if_it_were_alone(settings):
    model = text_model(settings)
    model.learn(TEXTS)
    together = model.read(TEXTS)
    for at, text in enumerate(TEXTS):
        alone = model.read([text])
        assert torch.allclose(together.values[at][together.known[at]], alone.values[0], atol=1e-5)
    assert together.known.sum(1).tolist() == [7, 9, 3]


def test_the_prefix_is_read_before_the_text():
    plain, prefixed = (text_model(Tables(width=16, vocabulary=64, prefix=prefix)) for prefix in ("", "To English: "))
    for model in (plain, prefixed):
        model.learn(TEXTS)
    assert prefixed.read(["a kite"]).known.sum() == plain.read(["a kite"]).known.sum() + 3


def test_the_cross_entropy_of_writing_is_what_the_logits_say():
    model = text_model(SmallT5(width=16, vocabulary=32, heads=2))
    model.learn(TEXTS)
    states = torch.randn(2, 4, 16)
    ids = model.vocabulary.encode(TEXTS[:2], 32)
    before = torch.cat([torch.zeros(2, 1, dtype=torch.long), ids[:, :-1]], 1)
    from transformers.modeling_outputs import BaseModelOutput

    logits = model.model()(
        encoder_outputs=BaseModelOutput(last_hidden_state=states),
        attention_mask=torch.ones(2, 4),
        decoder_input_ids=before,
    ).logits
    chances = logits.log_softmax(-1).gather(2, ids[:, :, None])[:, :, 0]
    assert float(model.cross_entropy(states, TEXTS[:2])) == pytest.approx(-float(chances[ids != PAD].mean()), abs=1e-5)


def test_soft_tokens_learn_to_make_a_frozen_model_write():
    """The states alone learn; what is written of them then is the text, so gradients reach them and writing uses them."""
    torch.manual_seed(0)
    model = text_model(SmallT5(width=32, vocabulary=32, heads=4, length=8, beams=1))
    model.learn(TEXTS)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = torch.randn(1, 4, 32, requires_grad=True)
    learning = torch.optim.Adam([states], lr=0.1)
    first = float(model.cross_entropy(states, ["a kite"]).detach())
    for _ in range(150):
        loss = model.cross_entropy(states, ["a kite"])
        learning.zero_grad()
        loss.backward()
        learning.step()
    assert float(loss.detach()) < 0.5 * first
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_that_was_taught_writes_what_it_reads_and_is_frozen_afterwards():
    settings = SmallT5(width=32, vocabulary=32, heads=4, length=12, beams=1, taught=250)
    model = text_model(settings)
    model.learn(TEXTS)
    assert model.write(model.read(TEXTS[:1]).values) == TEXTS[:1]
    assert not any(parameter.requires_grad for parameter in model.parameters())
    again = text_model(settings)
    again.learn(list(reversed(TEXTS)))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    untaught = text_model(settings.model_copy(update={"taught": 0}))
    untaught.learn(TEXTS)
    assert untaught.write(untaught.read(TEXTS[:1]).values) != TEXTS[:1]


# --- published models -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder in the layout of the Hugging Face hub, written here: nothing is downloaded."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("published")
    words = ["<pad>", "</s>", "<unk>", "to", "english", ":", "a", "the", "heron", "kite", "old"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(words), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_a_published_model_is_opened_from_its_folder_read_and_written_with(published):
    model = text_model(Pretrained(name=str(published), precision="fp32", length=8))
    assert model.width == 16
    assert model.read(["the old heron"]).values.shape == (1, 7, 16)
    assert len(model.write(torch.randn(2, 3, 16))) == 2


def test_a_published_model_knows_its_own_words_whatever_the_data_say(published):
    model = text_model(Pretrained(name=str(published), precision="fp32"))
    assert model.lacking("zebra, gnu", ["a zebra"]) == ("zebra", "gnu")
    assert model.lacking("old zebra") == ()


def test_its_weights_are_neither_saved_nor_counted_and_other_weights_are_refused(published, tmp_path):
    from safetensors.torch import load_file, save_file

    model = text_model(Pretrained(name=str(published), precision="fp32"))
    model.learn([])
    assert set(model.state_dict()) == {"weights"}
    assert not list(model.parameters())
    other = tmp_path / "other"
    other.mkdir()
    for file in published.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    state = load_file(other / "model.safetensors")
    save_file({name: value + 0.1 for name, value in state.items()}, other / "model.safetensors", {"format": "pt"})
    moved = text_model(Pretrained(name=str(other), precision="fp32"))
    moved.load_state_dict(model.state_dict())
    with pytest.raises(RunError, match="other weights than those"):
        moved.read(["a kite"])


def test_weights_that_could_run_code_and_models_that_bring_code_are_refused(published, tmp_path):
    from safetensors.torch import load_file

    for file in published.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(StudyError, match="cannot be opened"):
        text_model(Pretrained(name=str(tmp_path)))
    config = json.loads((published / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForSeq2SeqLM": "evil.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    with pytest.raises(StudyError, match="cannot be opened"):
        text_model(Pretrained(name=str(tmp_path)))
    assert not ran.exists()


def test_a_folder_without_a_model_is_refused_with_what_is_needed(tmp_path):
    with pytest.raises(StudyError, match=r"cannot be opened.*config\.json, tokenizer\.json and model\.safetensors"):
        text_model(Pretrained(name=str(tmp_path)))


def alone(code, cache):
    """Run code in a process that no hub answers; seconds that it says it took, and all that it wrote."""
    begin = (
        "import time\n"
        "from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer\n"
        "from pellucid.text import t5\n"
        "from pellucid.text.settings import Pretrained\n"
        "begun = time.monotonic()\n"
    )
    end = "\nprint('took', time.monotonic() - begun)"
    variables = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", begin + code + end], env={**os.environ, **variables}, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    return float(done.stdout.rsplit("took", 1)[1]), done.stdout + done.stderr


def test_a_name_that_cannot_be_fetched_is_refused_at_once_and_in_one_line(tmp_path):
    took, told = alone(
        "try: t5.PublishedModel(Pretrained(name='nobody/nothing'))\nexcept t5.StudyError as error: print('REFUSED', error)",
        tmp_path,
    )
    assert took < 10
    lines = [line for line in told.splitlines() if line and not line.startswith("took")]
    assert len(lines) == 1, told
    assert lines[0].startswith(
        "REFUSED text model 'nobody/nothing' is not on this machine, and the hub cannot be reached ("
    )
    assert "Give a folder with config.json" in lines[0]


def test_what_was_fetched_before_is_read_without_asking_the_hub(published, tmp_path):
    place = tmp_path / "models--some--body"
    shutil.copytree(published, place / "snapshots" / "0123456789abcdef")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0123456789abcdef")
    took, told = alone(
        "print('width', t5.PublishedModel(Pretrained(name='some/body', precision='fp32')).width)", tmp_path
    )
    assert "width 16" in told
    assert took < 10


def test_a_text_that_can_be_no_name_is_refused():
    with pytest.raises(StudyError, match="neither a folder nor a name that a hub could have"):
        text_model(Pretrained(name="no/such/folder"))
