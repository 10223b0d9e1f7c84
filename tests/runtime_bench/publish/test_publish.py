"""Model cards, and folders for a model hub."""

from __future__ import annotations

import hashlib
import json
import shutil

import msgspec
import pytest
import yaml
from PIL import Image

import styleexport as se
from styleexport.core.card_file import is_card, is_edited
from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import foreign_files, read_manifest
from styleexport.exporter.out_folder import check_out
from styleexport.runtime_bench.publish.card import model_card
from styleexport.runtime_bench.publish.publish import publish
from tests.zoo import SMALL_BUDGET


@pytest.fixture(scope="module")
def artifact(zoo):
    network = zoo.network("adain-lite")
    sizes = (se.Size(40, 56),)
    return zoo.artifact("api", network, sizes=sizes, roles=(se.Role.ENCODE, se.Role.TRANSFORM))


@pytest.fixture
def published(artifact, tmp_path):
    return publish(artifact, tmp_path / "hub")


def front_matter(card: str) -> dict[str, object]:
    return yaml.safe_load(card.split("---\n")[1])


def test_an_export_writes_its_card(artifact):
    manifest = read_manifest(artifact)
    card = (artifact / "README.md").read_text(encoding="utf-8")
    assert card == model_card(manifest)
    assert front_matter(card) == {
        "license": "apache-2.0",
        "library_name": "styleexport",
        "pipeline_tag": "image-to-image",
        "tags": ["style-transfer", "styleexport", "onnx", "fp32"],
        "base_network": "adain-lite",
        "metrics": ["psnr"],
    }
    assert manifest.network.paper in card.split("## Citation")[1]
    assert manifest.network.source_sha256 in card
    for fact in manifest.files:
        assert f"| `{fact.path}` | {fact.role} | 40x56 | fp32 |" in card
        assert f"{fact.worst.measured_db:.1f} dB" in card


def test_a_card_of_unknown_weights_names_their_licence(artifact):
    manifest = read_manifest(artifact)
    network = msgspec.structs.replace(manifest.network, licence="that of your weights: mine")
    fields = front_matter(model_card(msgspec.structs.replace(manifest, network=network)))
    assert fields["license"] == "other"
    assert fields["license_name"] == "that of your weights: mine"


def test_an_edited_card_is_kept_unless_it_may_be_overwritten(artifact, tmp_path):
    copy = shutil.copytree(artifact, tmp_path / "copy")
    card = copy / "README.md"
    check_out(copy, overwrite=False)
    assert not is_edited(card)
    card.write_text(card.read_text(encoding="utf-8") + "mine\n", encoding="utf-8")
    assert foreign_files(copy) == []
    with pytest.raises(UsageError, match=r"README\.md, which was edited"):
        check_out(copy, overwrite=False)
    check_out(copy, overwrite=True)
    card.write_text("# Another project\n", encoding="utf-8")
    assert not is_card(card)
    with pytest.raises(UsageError, match=r"holds README\.md, which an export would destroy"):
        check_out(copy, overwrite=True)


def test_a_published_folder_is_an_artifact_with_all_that_a_hub_shows(artifact, published):
    folder = published.folder
    assert se.verify(folder).keys() == se.verify(artifact).keys()
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "](figures/sample.jpg)" in card
    with Image.open(folder / "figures" / "sample.jpg") as sample:
        assert sample.height == 384
        assert sample.width in (2 * 384, 3 * 384, 4 * 384)
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert published.remarks == ()
    assert published.command == f"hf upload USER/adain-lite {folder}"


def test_checksums_are_of_every_file(published):
    folder = published.folder
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {line[66:]: line[:64] for line in lines}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {*listed, "SHA256SUMS"} == present == set(published.files)
    for path, digest in listed.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest


def test_a_folder_is_published_again_with_the_same_bytes_unless_it_was_edited(artifact, published):
    sums = (published.folder / "SHA256SUMS").read_bytes()
    assert publish(artifact, published.folder) == published
    assert (published.folder / "SHA256SUMS").read_bytes() == sums
    (published.folder / "LICENSE").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is not a folder as it was published"):
        publish(artifact, published.folder)
    assert (published.folder / "LICENSE").read_text(encoding="utf-8") == "mine"


def test_a_folder_with_other_files_is_kept(artifact, published):
    (published.folder / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not a folder as it was published"):
        publish(artifact, published.folder)


def test_an_artifact_is_not_published_into_itself(artifact):
    for place in (artifact, artifact.parent, artifact / "hub"):
        with pytest.raises(UsageError, match="is or holds"):
            publish(artifact, place)


def test_an_altered_artifact_is_refused(artifact, tmp_path):
    copy = shutil.copytree(artifact, tmp_path / "copy")
    (copy / read_manifest(copy).files[0].path).write_bytes(b"")
    with pytest.raises(BadArtifact, match="was altered"):
        publish(copy, tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_the_licence_of_unknown_weights_is_left_to_their_owner(zoo, tmp_path):
    from tests.test_api import TinyNet

    se.export(TinyNet(), tmp_path / "tiny", size=64, budget=SMALL_BUDGET)
    done = publish(tmp_path / "tiny", tmp_path / "hub")
    assert "put its text into" in done.remarks[0]
    assert "of the weights" in (done.folder / "LICENSE").read_text(encoding="utf-8")
    manifest = json.loads((done.folder / "manifest.json").read_bytes())
    assert manifest["network"]["name"] == "tiny-net"
