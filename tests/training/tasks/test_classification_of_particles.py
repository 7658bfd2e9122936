"""Classification of particles."""

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hepml.data import ParticleSet
from hepml.errors import DataError, InputError
from hepml.training import TaggingTask


class Gives(nn.Module):
    """Logits out of the features, one for each."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, particles: ParticleSet) -> Tensor:
        return self.scale * particles.features


class Sums(Gives):
    """Logits of sets."""

    def forward(self, particles: ParticleSet) -> Tensor:
        return self.scale * torch.ones(len(particles), 3)


def batch_of(classes=3, particles=500, labels=None, weights=None):
    generator = torch.Generator().manual_seed(1)
    if labels is None:
        labels = torch.randint(0, classes, (particles,), generator=generator)
    features = torch.randn(particles, classes, generator=generator)
    features[torch.arange(particles), labels] += 1.0
    return ParticleSet(
        torch.rand(particles, 4),
        torch.tensor([0, particles // 4, particles // 4, particles]),
        features,
        particle_labels=labels,
        weights=weights,
    )


def test_the_loss_is_the_cross_entropy_of_the_particles():
    batch = batch_of()
    loss = TaggingTask(Gives(), 3, per="particle").loss(batch)
    torch.testing.assert_close(loss, cross_entropy(batch.features, batch.particle_labels))


def test_a_particle_has_the_weight_of_its_set():
    batch = batch_of(weights=torch.tensor([1.0, 7.0, 3.0]))
    losses = cross_entropy(batch.features, batch.particle_labels, reduction="none")
    expected = (losses[:125].sum() + 3 * losses[125:].sum()) / 500 / 2
    loss = TaggingTask(Gives(), 3, per="particle", mean_weight=2.0).loss(batch)
    torch.testing.assert_close(loss, expected)


def test_the_macro_auc_is_that_of_scikit_learn():
    batch = batch_of()
    task = TaggingTask(Gives(), 3, per="particle")
    logged = {}
    task.log = lambda name, value, **_: logged.update({name: float(value)})
    task.validation_step(batch, 0)
    task.on_validation_epoch_end()
    scores = batch.features.softmax(1).numpy()
    expected = roc_auc_score(batch.particle_labels, scores, multi_class="ovr", average="macro")
    assert logged["val_auc"] == pytest.approx(expected, abs=2e-3)
    right = (batch.features.argmax(1) == batch.particle_labels).float().mean()
    assert logged["val_accuracy"] == pytest.approx(float(right))
    torch.testing.assert_close(
        torch.tensor(logged["val_loss"]), cross_entropy(batch.features, batch.particle_labels)
    )


def test_one_class_alone_has_no_auc():
    task = TaggingTask(Gives(), 3, per="particle")
    task.validation_step(batch_of(labels=torch.zeros(500, dtype=torch.int64)), 0)
    with pytest.raises(DataError, match=r"of at least two classes, got only class \[0\]"):
        task.on_validation_epoch_end()


def test_batches_without_particles_teach_nothing():
    empty = batch_of()[1:2]
    loss = TaggingTask(Gives(), 3, per="particle").loss(empty)
    loss.backward()
    assert loss.item() == 0.0


def test_labels_and_logits_have_to_fit():
    task = TaggingTask(Gives(), 3, per="particle")
    with pytest.raises(InputError, match="the class of each particle, got none"):
        task.loss(ParticleSet(torch.rand(2, 4), torch.tensor([0, 2]), torch.rand(2, 3)))
    with pytest.raises(InputError, match=r"\(particles, classes\) = \(500, 2\)"):
        TaggingTask(Gives(), 2, per="particle").loss(batch_of())


@pytest.mark.parametrize("per", ["set", "particle"])
def test_weights_that_cancel_have_no_mean(per):
    batch = batch_of(weights=torch.tensor([1.0, 7.0, -3.0]))
    sets = ParticleSet(
        batch.p4, batch.offsets, labels=torch.tensor([0, 1, 0]), weights=batch.weights
    )
    if per == "particle":
        task = TaggingTask(Gives(), 3, per="particle")
        task.validation_step(batch, 0)
    else:
        task = TaggingTask(Sums(), 3)
        task.validation_step(sets[[0, 2, 1, 2, 2]], 0)
    with pytest.raises(DataError, match="expected weights with a positive sum, got a sum of -"):
        task.on_validation_epoch_end()
