"""Jobs under the names of real rules that write down what they were given; see test_cluster_run.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd() / "src"))


localrules:
    all,


rule all:
    input:
        "probe/features_faces.json",
        "probe/align_pack.json",


rule features_faces:
    output:
        "probe/features_faces.json",
    log:
        "logs/probe/features_faces.log",
    threads: 2
    script:
        "probe.py"


rule align_pack:
    output:
        "probe/align_pack.json",
    log:
        "logs/probe/align_pack.log",
    threads: 1
    script:
        "probe.py"
