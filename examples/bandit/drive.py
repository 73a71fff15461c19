"""Asks the bandit example, and tells it after each answer whether it was right. Usage: drive.py HOST:PORT [REQUESTS]

Works with REST alone, as any client would: an answer goes back as it came, with a reward.
"""

import json
import random
import sys
import urllib.error
import urllib.request
from collections import Counter
from typing import Any


def post(address: str, path: str, said: Any) -> Any:
    """The answer to a JSON request."""
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"http://{address}/api/v1.0/{path}", json.dumps(said).encode(), headers)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.load(answer)


def drive(address: str, requests: int = 300) -> Counter[int]:
    """How often each branch was taken in the last third."""
    taken: list[int] = []
    for _ in range(requests):
        number = random.choice((-1, 1))
        answer = post(address, "predictions", {"data": {"ndarray": [[number]]}})
        right = answer["data"]["ndarray"] == [int(number > 0)]
        post(address, "feedback", {"response": answer, "reward": float(right)})
        taken.append(answer["meta"]["routing"]["which"])
    return Counter(taken[-requests // 3 :])


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: drive.py HOST:PORT [REQUESTS]")
    try:
        counts = drive(sys.argv[1], *map(int, sys.argv[2:]))
    except urllib.error.URLError as error:
        sys.exit(f"{sys.argv[1]}: {error.reason}; what is needed is the REST port that `millrace run` told")
    print(f"the last third of the requests went to steady {counts[0]} times, to sharp {counts[1]} times")
