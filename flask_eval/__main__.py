"""`python -m flask_eval` is `flask-eval`."""

from flask_eval.cli import main

if __name__ == "__main__":
    main()
