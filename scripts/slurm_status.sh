#!/usr/bin/env bash
# Says how a Slurm job is to Snakemake's cluster-generic executor: scripts/slurm_status.sh JOB
# By scontrol, which needs no accounting database; a job that Slurm has forgotten (MinJobAge) counts as done, and
# Snakemake then looks for its outputs.
state=$(scontrol --oneliner show job "$1" 2>/dev/null | grep -o 'JobState=[A-Z_]*' | head -n 1)
case ${state#JobState=} in
  COMPLETED | "") echo success ;;
  PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | STAGE_OUT | REQUEUED | RESIZING | SIGNALING) echo running ;;
  *) echo failed ;;
esac
