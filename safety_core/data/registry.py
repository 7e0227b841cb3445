"""The public data sets that can be converted, by their name on the command line."""

from collections.abc import Mapping

from safety_core.data.adapters import figstep, folder, llava_instruct, mm_safetybench, rtvlm, spa_vl, vlguard, xstest
from safety_core.data.raw_samples import DatasetAdapter

ADAPTERS: Mapping[str, DatasetAdapter] = {
    "vlguard": vlguard.ADAPTER,
    "rtvlm": rtvlm.ADAPTER,
    "spa-vl": spa_vl.ADAPTER,
    "mm-safetybench": mm_safetybench.ADAPTER,
    "figstep": figstep.ADAPTER,
    "llava-instruct": llava_instruct.ADAPTER,
    "xstest": xstest.ADAPTER,
    "folder": folder.ADAPTER,
}
