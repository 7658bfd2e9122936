import math

import pytest
import torch
from lightning.pytorch import Trainer
from sklearn.metrics import roc_auc_score
from support.small_jets import TinyFlow, random_sets
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader

from hepml.data import ParticleSet, concatenate
from hepml.errors import DataError, InputError
from hepml.training import TaggingTask
from hepml.training.engine._optimiser import Optimiser, one_cycle
from hepml.training.engine._trainer import quiet_lightning


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
    losses, _, logits, _ = task._of_rows(batch)
    loss = task.loss(batch)
    assert torch.allclose(losses.mean(), loss)
    # The mean of the losses and the loss of all at once: their last bits differ by machine.
    torch.testing.assert_close(loss, cross_entropy(task.model(batch), batch.labels))
    assert logits.shape == (len(batch), 2)


def weighted(batch, weights):
    return ParticleSet(batch.p4, batch.offsets, labels=batch.labels, weights=torch.tensor(weights))


def test_weights_over_their_mean_multiply_the_loss_of_their_sets():
    batch = random_sets(weights=True)
    task = TaggingTask(TinyFlow(dropout=0), mean_weight=0.4).double().eval()
    losses = cross_entropy(task(batch.to(dtype=torch.float64)), batch.labels, reduction="none")
    expected = (batch.weights.double() * losses).mean() / 0.4
    assert torch.allclose(task.loss(batch), expected, rtol=1e-12)


def gradient(task, batch):
    task.zero_grad()
    task.loss(batch).backward()
    return torch.cat([p.grad.reshape(-1) for p in task.parameters()])


@pytest.mark.parametrize("weights", [[1.0, -1.0], [1.0, -1023 / 1024], [1.0, -2.0]])
def test_a_batch_whose_weights_cancel_does_no_harm(weights):
    """Weights that sum to 0, nearly 0 or below: each set counts as its own weight says."""
    task = TaggingTask(TinyFlow(dropout=0), mean_weight=0.5).double().eval()
    batch = weighted(random_sets(2), weights)
    ones = [weighted(batch[[i]], [1.0]) for i in range(2)]
    expected = sum(w * gradient(task, one) for w, one in zip(weights, ones, strict=True)) / 2
    found = gradient(task, batch)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)
    assert found.norm() <= 2 * max(gradient(task, one).norm() for one in ones)


def test_the_batches_of_an_epoch_add_up_to_the_weighted_sample():
    """However the sets are divided: the weights of a batch do not decide how much it counts."""
    task = TaggingTask(TinyFlow(dropout=0), mean_weight=0.25).double().eval()
    everything = weighted(random_sets(8), [1.0, -0.5, 1.0, -0.5, 0.1, -0.1, 1.5, -0.5])
    whole = gradient(task, everything)
    halves = [gradient(task, everything[i : i + 4]) for i in (0, 4)]
    torch.testing.assert_close(sum(halves) / 2, whole, rtol=1e-10, atol=1e-14)


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


def test_the_validation_loss_is_the_weighted_mean_over_the_sample():
    validation = [weighted(random_sets(3, seed), [1.0, -1.0, 0.5]) for seed in range(3)]
    task = TaggingTask(TinyFlow(), mean_weight=7.0)
    trainer = fit(task, [random_sets(20, 9)], validation)
    everything = concatenate(validation)
    with torch.no_grad():
        losses = cross_entropy(task.model.eval()(everything), everything.labels, reduction="none")
    expected = float((everything.weights * losses).sum() / everything.weights.sum())
    assert float(trainer.callback_metrics["val_loss"]) == pytest.approx(expected, rel=1e-5)


def test_validation_weights_with_no_positive_sum_are_refused():
    validation = [weighted(random_sets(3), [1.0, -1.0, -0.5])]
    with pytest.raises(DataError, match=r"^validation: .* a positive sum, got a sum of -0\.5"):
        fit(TaggingTask(TinyFlow()), [random_sets(8)], validation)


def relabelled(batch, classes):
    """The same jets with other labels."""
    labels = torch.arange(len(batch)) % classes
    return ParticleSet(batch.p4, batch.offsets, labels=labels)


def test_the_learning_rate_rises_and_falls_along_cosines():
    task = TaggingTask(TinyFlow(), optimiser=Optimiser(0.1, warmup=0.25))
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
    loss = TaggingTask(TinyFlow().double()).loss(random_sets())
    assert loss.dtype == torch.float64
