"""The official SandboxFusion client runs programs at URL, one by one and from coroutines."""

import asyncio
import json
import sys
from typing import Any

from sandbox_fusion import RunCodeRequest, run_code, run_code_async

SUM = "print(sum(map(int, input().split())))"
CPP = "#include <iostream>\nint main(){int a,b;std::cin>>a>>b;std::cout<<a+b;}"


def told(response: Any) -> list[Any]:
    """What a caller reads first."""
    run = response.run_result
    return [response.status.value, run.stdout if run else None]


async def main(url: str) -> dict[str, Any]:
    """Several programs."""
    requests = [
        RunCodeRequest(code=SUM, stdin="1 2\n", language="python"),
        RunCodeRequest(code=CPP, stdin="1 2\n", language="cpp"),
        RunCodeRequest(code="int main(", language="cpp"),
        RunCodeRequest(code="1/0", language="python"),
        RunCodeRequest(code="while True: pass", language="python", run_timeout=1),
    ]
    alone = [told(run_code(one, endpoint=url, client_timeout=60)) for one in requests]
    crowd = await asyncio.gather(
        *(run_code_async(requests[0], endpoint=url, client_timeout=60) for _ in range(16))
    )
    return {"alone": alone, "crowd": [told(one) for one in crowd]}


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(main(sys.argv[1]))))
