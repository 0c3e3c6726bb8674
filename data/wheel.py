"""How a wheel is built: with `data/sample`, which lessons and labs read (pyproject.toml names the class)."""

from pathlib import Path

from setuptools.command.build_py import build_py

SAMPLE = Path("data/sample")
INSIDE = Path("oneformer_lite/sample_data")  # where oneformer_lite.data.sample_folder finds it


class BuildWithSample(build_py):
    """Copies the sample beside the modules; an editable installation reads it where it lies."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, copy in self._copies().items():
                self.mkpath(str(Path(copy).parent))
                self.copy_file(source, copy)

    def get_source_files(self) -> list[str]:
        """Also for the source distribution, from which a wheel may be built."""
        return [*super().get_source_files(), *self._copies(), "data/wheel.py"]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        copies = [] if self.editable_mode else self._copies().values()
        return [*super().get_outputs(include_bytecode), *copies]

    def _copies(self) -> dict[str, str]:
        files = sorted(path for path in SAMPLE.rglob("*") if path.is_file())
        return {str(path): str(Path(self.build_lib, INSIDE, path.relative_to(SAMPLE))) for path in files}

