"""Which tracks of a jet come from the same vertex, and from what: classes of edges and of nodes.

    python examples/common_vertex.py tracks.root

The file has the tracks of jets with perigee parameters, covariances and their true vertices, under
the names in examples/common_vertex.yaml. Every jet is tested with a network that has learned from
the other parts of the file. Beside it stand what single numbers of two tracks tell: how much their
impact parameters differ in units of their errors, and whether both point to the primary vertex.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hepml.data import Graph, rows_of
from hepml.deploy import Tagger
from hepml.evaluation import Evaluation, evaluate_probabilities, evaluate_scores
from hepml.io import Columns, read
from hepml.training import train

COLUMNS = Columns.from_yaml(str(Path(__file__).with_suffix(".yaml")))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="jets with tracks and their true vertices")
    parser.add_argument("--folds", type=int, default=4, help="parts that are tested in turn")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("runs/common-vertex"))
    options = parser.parse_args(argv)

    for target in ("edge_label", "node_label"):
        found = tested(target, options.file, options.folds, options.epochs, options.output)
        for each in found.discriminations:
            print(f"InteractionNetwork, {each.pair}: AUC {each.auc}")
        macro = "" if found.macro_auc is None else f", macro AUC {found.macro_auc}"
        print(f"InteractionNetwork, {target}: accuracy {found.accuracy}{macro}")
    for name, auc in baselines(read(options.file, COLUMNS)).items():
        print(f"{name}: AUC {auc:.3f}")


def tested(target: str, file: Path, folds: int, epochs: int, output: Path) -> Evaluation:
    """What networks tell of jets that they have not learned from, all folds together."""
    scores, labels, sets = [], [], []
    for fold in range(folds):
        run = train(
            "InteractionNetwork",
            file,
            columns=COLUMNS.replace(cut=f"entry % {folds} != {fold}"),
            target=target,
            output=output / f"{target}_{fold}",
            epochs=epochs,
            batch_size=32,
            overwrite=True,
        )
        tagger = Tagger.load(run.folder.last)
        graphs = read(file, COLUMNS.replace(cut=f"entry % {folds} == {fold}"))
        rows = rows_of(graphs, tagger.answers.per)
        scores.append(tagger.probabilities(graphs).numpy())
        labels.append(rows.labels.numpy())
        sets.append(folds * rows.set_index.numpy() + fold)
    return evaluate_probabilities(
        np.concatenate(scores),
        np.concatenate(labels),
        tagger.class_names,
        set_index=np.concatenate(sets),
    )


def baselines(graph: Graph) -> dict[str, float]:
    """The AUC of what single numbers of two tracks tell of their vertex."""
    d0, z0 = (graph.edges[:, COLUMNS.edge_feature_names.index(name)] for name in ("d0", "z0"))
    away = graph.nodes[:, COLUMNS.feature_names.index("d0")].abs()
    scores = {
        "difference of d0": -d0.abs(),
        "difference of z0": -z0.abs(),
        "both differences": -(d0.square() + z0.square()),
        "the larger d0 of the two": -torch.maximum(away[graph.senders], away[graph.receivers]),
    }
    labels, names = graph.edge_labels.numpy(), COLUMNS.edge_class_names
    found = {
        name: evaluate_scores(score.numpy(), labels, names, replicas=2)
        for name, score in scores.items()
    }
    return {name: each.discriminations[0].auc.value for name, each in found.items()}


if __name__ == "__main__":
    main()
