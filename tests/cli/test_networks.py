from hepml.cli import main
from hepml.models import NETWORKS


def test_every_network_has_a_line_with_its_claims(capsys):
    assert main(["networks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.split()[0] for line in lines[2:] if line[0] != " "] == list(NETWORKS)
    (place,) = (i for i, line in enumerate(lines) if line.startswith("LorentzNet"))
    assert lines[place].endswith("arXiv:2201.08187")
    claims = " ".join(" ".join(lines[place : place + 2]).split())
    assert "rotation, parity, lorentz with beams" in claims
    (flow,) = (line for line in lines if line.startswith("MLPFlow"))
    assert " none " in flow
    chapters = [entry.chapter for entry in NETWORKS.values()]
    assert chapters == sorted(chapters, key=chapters.index)
