.PHONY: check format test quick

check:  ## lint, format, types, import layers, spelling
	ruff check .
	ruff format --check .
	pyright
	lint-imports --no-logo
	codespell

format:  ## mend what can be mended
	ruff check --fix .
	ruff format .

test:  ## everything that needs no accelerator
	pytest

quick:  ## about two minutes on two cores
	pytest -m "not (integration or ui)"
