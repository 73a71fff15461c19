"""Owns the process of the kubelet: `python -m support.kubelet SETUP`.

Must not know tests. Told to end, it ends its pods; killed, it leaves that to the namespaces of the tests.
"""

import signal
import sys
from pathlib import Path

from support.kube.api import Api
from support.kubelet.kubelet import Kubelet
from support.kubelet.setup import Setup

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    setup = Setup.read(Path(sys.argv[1]))
    Kubelet(Api(Path(setup.kubeconfig)), setup).run()
