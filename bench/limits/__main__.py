"""python -m bench.limits [NAME...]: trials of limits, all or by name; a line each in bench/results/limits.jsonl."""

from bench.limits.findings import main
from bench.limits.refusals import daily_quota, minute_quota, random_errors
from bench.limits.requests import few_need_a_call, sixty_a_minute, slow_pages, ten_a_second, ten_a_second_loaded
from bench.limits.tokens import tokens_a_minute

main(
    "limits",
    {
        "ten_a_second": ten_a_second,
        "ten_a_second_loaded": ten_a_second_loaded,
        "sixty_a_minute": sixty_a_minute,
        "slow_pages": slow_pages,
        "few_need_a_call": few_need_a_call,
        "tokens_a_minute": tokens_a_minute,
        "minute_quota": minute_quota,
        "daily_quota": daily_quota,
        "random_errors": random_errors,
    },
)
