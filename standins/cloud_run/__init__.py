"""cloud_run: what stands before and around each service on Cloud Run.

caller -> token checked -> instance chosen, started or thawed -> request with Google's headers -> answer, streamed back
"""
