"""What a job's own libraries and environment say they were given."""

import json
import os
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info

from waver.workflow.job import job

with job(snakemake) as j:  # noqa: F821
    np.ones((8, 8)) @ np.ones((8, 8))
    told = {
        "threads": j.threads,
        "torch": torch.get_num_threads(),
        "pools": {pool["user_api"]: pool["num_threads"] for pool in threadpool_info()},
        "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
        "node": os.environ["SLURMD_NODENAME"],
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    Path(j.output[0]).write_text(json.dumps(told))
