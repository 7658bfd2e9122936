import math

import pytest
import torch
from lightning.pytorch import Trainer
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader
from training.small_jets import TinyFlow, random_sets

from hepml.data import ParticleSet, concatenate
from hepml.errors import DataError, InputError
from hepml.training import CheckpointInfo, TaggingTask
from hepml.training._task import one_cycle
from hepml.training._trainer import quiet_lightning


def fit(task, batches, validation=None, epochs=1, callbacks=()):
    """Train with Lightning alone, on batches in memory."""
    with quiet_lightning():
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=list(callbacks),
        )
        loaders = [DataLoader(b, batch_size=None) for b in (batches, validation or [])]
        trainer.fit(task, loaders[0], loaders[1] if validation else None)
    return trainer


def test_the_loss_is_cross_entropy():
    task, batch = TaggingTask(TinyFlow(dropout=0)), random_sets()
    task.model.eval()
    loss, logits = task.loss(batch)
    assert torch.equal(loss, cross_entropy(task.model(batch), batch.labels))
    assert logits.shape == (len(batch), 2)


def test_weights_multiply_the_loss_of_their_sets():
    batch = random_sets(weights=True)
    task = TaggingTask(TinyFlow(dropout=0)).double().eval()
    losses = [task.loss(batch[[i]].to(dtype=torch.float64))[0] for i in range(len(batch))]
    weights = batch.weights.double()
    expected = sum(w * loss for w, loss in zip(weights, losses, strict=True)) / weights.sum()
    assert torch.allclose(task.loss(batch)[0], expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3])
def test_validation_figures_agree_with_scikit_learn(classes):
    validation = [random_sets(30, seed) for seed in range(3)]
    if classes == 3:
        validation = [relabelled(batch, classes) for batch in validation]
    task = TaggingTask(TinyFlow(outputs=classes), classes)
    trainer = fit(task, [random_sets(20, 9)], validation)
    everything = concatenate(validation)
    with torch.no_grad():
        logits = task.model.eval()(everything)
    scores, labels = logits.softmax(1).double(), everything.labels
    scores = scores / scores.sum(1, keepdim=True)
    auc = roc_auc_score(labels, scores[:, 1] if classes == 2 else scores, multi_class="ovr")
    figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert figures["val_auc"] == pytest.approx(auc, abs=1e-6)
    assert figures["val_accuracy"] == pytest.approx(
        float((logits.argmax(1) == labels).float().mean())
    )
    assert figures["val_loss"] == pytest.approx(float(cross_entropy(logits, labels)), rel=1e-5)


def test_the_auc_is_the_mean_over_the_classes_that_are_there():
    batch = random_sets(40)
    validation = ParticleSet(batch.p4, batch.offsets, labels=torch.arange(40) % 3)
    task = TaggingTask(TinyFlow(outputs=5), 5)
    trainer = fit(task, [random_sets(20, 9)], [validation])
    with torch.no_grad():
        scores = task.model.eval()(validation).softmax(1)
    expected = [roc_auc_score(validation.labels == i, scores[:, i]) for i in range(3)]
    auc = float(trainer.callback_metrics["val_auc"])
    assert auc == pytest.approx(sum(expected) / 3, abs=1e-6)


@pytest.mark.parametrize("columns", [{}, {"weights": "mc_weight"}])
def test_weights_that_sum_to_zero_are_named(columns):
    batch = random_sets(2)
    batch = ParticleSet(
        batch.p4, batch.offsets, labels=batch.labels, weights=torch.tensor([1.0, -1.0])
    )
    info = CheckpointInfo("TinyFlow", {}, columns) if columns else None
    name = " ".join(["weights", *columns.values()])
    with pytest.raises(DataError, match=f"^{name}: expected a sum other than zero"):
        fit(TaggingTask(TinyFlow(), info=info), [random_sets(8, weights=True), batch])


def relabelled(batch, classes):
    """The same jets with other labels."""
    labels = torch.arange(len(batch)) % classes
    return ParticleSet(batch.p4, batch.offsets, labels=labels)


def test_the_learning_rate_rises_and_falls_along_cosines():
    task = TaggingTask(TinyFlow(), learning_rate=0.1, warmup=0.25)
    rates = []
    task.on_before_optimizer_step = lambda adamw: rates.append(adamw.param_groups[0]["lr"])
    fit(task, [random_sets(8)] * 21, epochs=2)

    sgd = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = OneCycleLR(sgd, 0.1, total_steps=42, pct_start=0.25, cycle_momentum=False)
    expected = []
    for _ in range(42):
        expected += torchs.get_last_lr()
        sgd.step()
        torchs.step()
    assert rates == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
def test_runs_of_few_steps_have_a_learning_rate(steps, warmup):
    rates = [one_cycle(step, steps=steps, warmup=warmup) for step in range(steps + 1)]
    assert all(0 < rate <= 1 for rate in rates)


class _Breaks(TinyFlow):
    """Gives NaN from a certain call on."""

    def __init__(self, at):
        super().__init__()
        self.calls, self.at = 0, at

    def forward(self, particles):
        self.calls += 1
        return super().forward(particles) * (math.nan if self.calls > self.at else 1)


@pytest.mark.parametrize(("at", "where"), [(0, "batch 1 of epoch 1"), (28, "batch 4 of epoch 2")])
def test_a_loss_that_is_not_finite_stops_the_run(at, where):
    with pytest.raises(
        DataError, match=rf"got loss nan in {where}.*lower the learning rate.*0\.001"
    ):
        fit(TaggingTask(_Breaks(at)), [random_sets(8)] * 25, epochs=3)


def test_weights_that_are_not_finite_end_no_epoch():
    task = TaggingTask(TinyFlow())
    task.on_after_backward = lambda: [p.grad.fill_(math.nan) for p in task.model.parameters()]
    with pytest.raises(
        DataError, match=r"NaN or infinite of_particle\.0\.weight at the end of epoch 1"
    ):
        fit(task, [random_sets(8)])


def test_a_validation_sample_of_one_class_is_refused():
    one = random_sets(30)
    with pytest.raises(DataError, match=r"at least two classes, got only class \[1\]"):
        fit(TaggingTask(TinyFlow()), [random_sets(8)], [one[one.labels == 1]])


def test_labels_must_be_there():
    batch = random_sets()
    with pytest.raises(InputError, match="labels: expected the class of each set, got none"):
        TaggingTask(TinyFlow()).loss(ParticleSet(batch.p4, batch.offsets))


def test_logits_must_have_a_column_for_each_class():
    with pytest.raises(InputError, match=r"\(40, 3\), got \(40, 2\) from TinyFlow"):
        TaggingTask(TinyFlow(), classes=3).loss(random_sets())


def test_batches_take_the_precision_of_the_weights():
    loss, _ = TaggingTask(TinyFlow().double()).loss(random_sets())
    assert loss.dtype == torch.float64
