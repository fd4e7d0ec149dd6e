"""docs/guide/kubernetes.yaml: its command is valid, and its batch divides over the workers."""

import json
import re

import pytest
import tfae_program
import yaml


@pytest.fixture(scope='module')
def documents():
    text = (tfae_program.ROOT / 'docs' / 'guide' / 'kubernetes.yaml').read_text()
    return {document['kind']: document for document in yaml.safe_load_all(text)}


@pytest.fixture(scope='module')
def worker(documents):
    (spec,) = documents['TFJob']['spec']['tfReplicaSpecs'].values()
    return spec


def flag(words, name):
    (value,) = (word.partition('=')[2] for word in words if word.startswith(f'--{name}='))
    return value


def test_the_operator_finds_container_and_port(worker):
    (container,) = worker['template']['spec']['containers']
    assert container['name'] == 'tensorflow'
    assert [port['name'] for port in container['ports']] == ['tfjob-port']
    mounts = {mount['name'] for mount in container['volumeMounts']}
    assert mounts == {volume['name'] for volume in worker['template']['spec']['volumes']}


def test_only_the_workers_reach_the_port(documents, worker):
    policy = documents['NetworkPolicy']['spec']
    (rule,) = policy['ingress']
    (sender,) = rule['from']
    assert sender == {'podSelector': policy['podSelector']}
    labels = policy['podSelector']['matchLabels']
    assert labels == {'training.kubeflow.org/job-name': documents['TFJob']['metadata']['name']}
    (container,) = worker['template']['spec']['containers']
    (port,) = container['ports']
    assert rule['ports'] == [{'port': port['containerPort']}]


def test_its_command_trains_as_its_workers_with_the_operator_s_tf_config(
    documents, worker, tmp_path
):
    """Runs the command up to the missing data set."""
    (container,) = worker['template']['spec']['containers']
    words, name = container['command'], documents['TFJob']['metadata']['name']
    assert words[0] == 'tfae'
    assert int(flag(words, 'batch_size')) % worker['replicas'] == 0
    folders = {mount['mountPath'] for mount in container['volumeMounts']}
    for folder in (flag(words, 'logdir'), flag(words, 'data_dir')):
        assert re.match(r'(/\w+)', folder)[1] in folders
    here = [re.sub(r'=(/.*)', rf'={tmp_path}\1', word) for word in words[1:]]
    addresses = [f'{name}-worker-{k}.default.svc:2222' for k in range(worker['replicas'])]
    config = {'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': 0}}
    config['environment'] = 'cloud'  # as the operator has it
    done = tfae_program.run(*here, cwd=tmp_path, TF_CONFIG=json.dumps(config))
    assert f'{tmp_path}/data' in done.refusal(1)
