# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``pilot-discovery request METHOD PATH``, as it is run inside a pod: it asks that pod's istiod over loopback. A script of its own."""

import http.client
import os
import sys


def main(words: list[str]) -> int:
    if len(words) != 3 or words[0] != "request":
        print("Error: the lab knows pilot-discovery request METHOD PATH only", file=sys.stderr)
        return 1
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["LAB_ISTIOD_PORT"]), timeout=30)
        connection.request(words[1], words[2])
        answer = connection.getresponse()
        body = answer.read()
    except OSError as problem:
        print(f"Error: {problem}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(body)
    if answer.status >= 300:
        print(f"Error: unexpected status code {answer.status}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
