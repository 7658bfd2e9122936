"""The names of the 188 classes of JetClass-II, in the order of its ``jet_label``.

Li, Agapitos, Drews, et al., "Accelerating resonance searches via signature-oriented pre-training",
arXiv:2405.12972: decays of a resonance X, to two bodies or through two
resonances Y; q is a u or d quark, e and m the leptons, v a neutrino that is not named when the
lepton says so; and jets of QCD by the heavy and strange quarks in them.
"""

_TWO_BODY = "bb cc ss qq bc cs bq cq sq gg ee mm tauhtaue tauhtaum tauhtauh"
_FOUR_BODY = """
bbbb bbcc bbss bbqq bbgg bbee bbmm bbtauhtaue bbtauhtaum bbtauhtauh bbb bbc bbs bbq bbg bbe bbm
cccc ccss ccqq ccgg ccee ccmm cctauhtaue cctauhtaum cctauhtauh ccb ccc ccs ccq ccg cce ccm
ssss ssqq ssgg ssee ssmm sstauhtaue sstauhtaum sstauhtauh ssb ssc sss ssq ssg sse ssm
qqqq qqgg qqee qqmm qqtauhtaue qqtauhtaum qqtauhtauh qqb qqc qqs qqq qqg qqe qqm
gggg ggee ggmm ggtauhtaue ggtauhtaum ggtauhtauh ggb ggc ggs ggq ggg gge ggm
bee cee see qee gee bmm cmm smm qmm gmm
btauhtaue ctauhtaue stauhtaue qtauhtaue gtauhtaue
btauhtaum ctauhtaum stauhtaum qtauhtaum gtauhtaum
btauhtauh ctauhtauh stauhtauh qtauhtauh gtauhtauh
qqqb qqqc qqqs bbcq ccbs ccbq ccsq sscq qqbc qqbs qqcs bcsq bcs bcq bsq csq
bcev csev bqev cqev sqev qqev bcmv csmv bqmv cqmv sqmv qqmv
bctauev cstauev bqtauev cqtauev sqtauev qqtauev bctaumv cstaumv bqtaumv cqtaumv sqtaumv qqtaumv
bctauhv cstauhv bqtauhv cqtauhv sqtauhv qqtauhv
"""
_QCD = """
bbccss bbccs bbcc bbcss bbcs bbc bbss bbs bb bccss bccs bcc bcss bcs bc bss bs b
ccss ccs cc css cs c ss s light
"""

JETCLASS2_CLASSES = (
    *(f"X_{name}" for name in _TWO_BODY.split()),
    *(f"X_YY_{name}" for name in _FOUR_BODY.split()),
    *(f"QCD_{name}" for name in _QCD.split()),
)
