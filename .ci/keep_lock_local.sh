#!/bin/sh
# Keep the dvc.lock of a run out of `git status`: it holds hashes that differ between processors.
#
# The one in git is empty, and git is told to leave the one in the work tree alone. Not so where some
# branch has a lock that is not empty: then its owner versions runs with git, and git must see them.
# `make show-lock` shows the file to git again.
set -eu
git rev-parse --git-dir >/dev/null 2>&1 || exit 0
git ls-files --error-unmatch dvc.lock >/dev/null 2>&1 || exit 0
for branch in HEAD $(git for-each-ref --format='%(refname)' refs/heads); do
	if ! git show "$branch:dvc.lock" 2>/dev/null | grep -qx 'stages: {}'; then
		git update-index --no-skip-worktree dvc.lock
		exit 0
	fi
done
git update-index --skip-worktree dvc.lock
