from hepml.cli import main
from hepml.models import NETWORKS


def test_every_network_has_a_line_with_its_claims(capsys):
    assert main(["networks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(NETWORKS)
    (lorentz_net,) = (line for line in lines if line.startswith("LorentzNet"))
    assert "lorentz with beams" in lorentz_net
    assert lorentz_net.endswith("arXiv:2201.08187")
    (flow,) = (line for line in lines if line.startswith("MLPFlow"))
    assert " none " in flow
    chapters = [entry.chapter for entry in NETWORKS.values()]
    assert chapters == sorted(chapters, key=chapters.index)
