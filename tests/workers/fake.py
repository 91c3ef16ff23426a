"""A group of workers that does what a test wants: the other end of the loop's wire, with no student.

It has a child that would outlive it, as the first of several workers has neighbours.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

CHILD = "import time; time.sleep(600)"


def main() -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["ASFT_WORKERS"])
    lines = connection.makefile("r")
    hello = json.loads(lines.readline())
    child = subprocess.Popen([sys.executable, "-I", "-c", CHILD, hello["run"]])

    def send(**message: object) -> None:
        connection.sendall(json.dumps(message).encode() + b"\n")

    for line in lines:
        order = json.loads(line)
        if order is None:
            child.kill()
            return
        match order["do"]:
            case "tell":
                send(progress="start", given=["round 1: train", 3])
                send(progress="update", given=[2, "loss 0.5", 4])
                send(progress="end", given=["done"])
                send(progress="say", given=[json.dumps(hello["settings"])])
            case "refuse":
                send(error=order["kind"], message="the value 7 is wrong; give 8")
                continue
            case "crash":
                print("Traceback: the device is out of memory", flush=True)
                print("E1121 21:25:22 1 torch/distributed/api.py:1] failed (exitcode: 3) local_rank: 1 (pid")
                print("asft.workers FAILED")
                sys.exit(1)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(600)
        send(done=True)


main()
