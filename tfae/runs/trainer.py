"""Training of a run by one program: the steps, and the events between them."""

import math
import pathlib
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tfae import data
from tfae.core import atomic_files, errors, names
from tfae.core.signals import Interrupt
from tfae.data import pipeline
from tfae.data.normalization import Normalization
from tfae.models.base import baseline
from tfae.models.base.family import Baselined, Troubled
from tfae.runs import checkpoints, due, event_file, transfer
from tfae.runs.directory import BEST, EPOCHS, METRICS, PROJECTOR, TRAIN, VALIDATION, Folder
from tfae.runs.options import Config
from tfae.runs.progress import Progress
from tfae.training import graph, phases, summaries
from tfae.training.experiment import Experiment

_CHUNK = 64  # steps after which clock, signals and losses are checked
_VALIDATION_LOSS = f'{names.VALIDATION}_{names.LOSS}'


class Diverged(errors.InputError):
    """A loss or a variable is not finite."""


class Trainer:
    """Trains a run from its newest checkpoint.

    Between two steps come, in this order, the end of an epoch and a checkpoint. Scalars for
    TensorBoard are fetched by the step that computes them. No event changes what a step computes,
    and the checkpoint of a step is written after all other events of that step: a resumed run
    repeats none and omits none.
    """

    def __init__(
        self,
        experiment: Experiment,
        recorded: Experiment,
        folder: Folder,
        built: graph.Graph,
        session: tf.Session,
        options: Config,
    ):
        """Builds the operations that load, store and check the variables.

        Args:
          experiment: the configuration, with the signature of the loaded data set.
          recorded: the same as config.json holds it; checkpoints are compared with it.
          folder: of the run.
          built: graph of the experiment.
          session: on that graph.
          options: logging and checkpoints.
        """
        self._experiment = experiment
        self._folder = folder
        self._built = built
        self._session = session
        self._options = options
        self._coordinator = built.coordinator
        self._keeping_alive = built.coordinator.keeping_alive(session.run)
        with built.graph.as_default():
            self._saver = checkpoints.Saver(tf.global_variables(), recorded)
            self._model_saver = checkpoints.Saver(built.model_variables, recorded)
            trained = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
            with tf.name_scope(names.FINITE):
                finite = [tf.reduce_all(tf.math.is_finite(v)) for v in trained]
                self._all_finite = tf.reduce_all(tf.stack(finite))
            self._initialize = [tf.global_variables_initializer(), tf.local_variables_initializer()]
        self._phases = [program.phase for program in built.programs]
        self._batch_size = experiment.training.batch(built.source.count)
        self._records: list[dict[str, Any]] = []
        self._step = 0
        self.interrupt = Interrupt()
        self._saved_step = -1
        # Folder -> paths that must be on the disk before the next checkpoint counts.
        self._unflushed: dict[str, list[pathlib.Path]] = {}
        self._scalars_due = due.Scalars(options.summary_steps)
        self._checkpoint_due = due.Checkpoint(options.checkpoint_steps, options.checkpoint_secs)
        self._events_due = (  # in this order
            due.Event(due.EpochEnd(self._batch_size), self._epoch),
            due.Event(self._checkpoint_due, self._checkpoint),
        )

    def train(self, loaded: data.DataSet, begun: Callable[[int], None]) -> int:
        """Trains to the end.

        Args:
          loaded: the data set.
          begun: called with the step of the checkpoint, once the variables are loaded.
        Returns: the exit code, as `fit.fit`.
        """
        self._session.run(self._initialize)
        self._begin()
        begun(self._step)
        self._coordinator.begin(self._session.run, self._experiment.to_dict())
        if self._over() and (not self._has_codes() or summaries.has_projector(self._folder.path)):
            self._say_finished()
            return 0
        summaries.remove_projector(self._folder.path)
        self._open_events()
        self._progress = Progress(self._step, self._phases[-1].stop, self._batch_size)
        try:
            with self.interrupt:
                finished = self._all_phases()
            if finished:
                self._finish(loaded)
        finally:
            self._progress.close()
            for events in self._events.values():
                events.close()
        return 0 if finished else 128 + self.interrupt.number

    def _open_events(self) -> None:
        """Describes the run in TensorBoard, and opens the files of training and validation."""
        hparams = self._experiment.hparams()
        run = '/'.join(self._folder.path.resolve().parts[-2:])
        described = [
            summaries.hparams(hparams, run),
            summaries.text(names.PHASES, phases.markdown(self._phases)),
        ]
        event_file.describe(self._folder.path, described)
        event_file.rewind(self._folder.path, self._step)  # of runs that have all events there
        graphs = {TRAIN: self._built.graph}
        if self._built.validation.count:
            graphs[VALIDATION] = None
        self._events = {}
        for name, shown in graphs.items():
            folder = self._folder.place(name)
            atomic_files.make_folder(folder)
            event_file.rewind(folder, self._step)
            self._events[name] = event_file.EventFile(folder, self._step, shown)
            self._events[name].mark(self._step)

    def _begin(self) -> None:
        """Loads the newest checkpoint, or starts at step 0."""
        path = self._folder.path
        ours = (self._saver, self._session, self._folder)
        step = checkpoints.resume(*ours, self._phases, self._batch_size)
        self._step = step or 0
        self._records = self._folder.rewind_metrics(self._step)
        if step is not None:
            self._sweep()
            self._saved_step = step
            print(f'{path}: at step {step:,} of {self._phases[-1].stop:,}')
            return
        settings = self._experiment.training
        if settings.restore_from:
            variables, scopes = self._built.model_variables, settings.restore_map
            found = transfer.transfer(self._session, variables, settings.restore_from, scopes)
            for kind, listed in found._asdict().items():
                print(f'{kind}: {", ".join(listed) or "none"}')
        self._save()

    def _sweep(self) -> None:
        """Removes unfinished checkpoints, and all but the best one from `best/`."""
        best = self._folder.place(BEST)
        for folder in (self._folder.path, best, self._folder.place(EPOCHS)):
            checkpoints.sweep(folder)
        validated = self._validated()
        if validated:
            least = min(validated, key=lambda record: (_validation_loss(record), -record['step']))
            if least['step'] in dict(checkpoints.newest_first(best)):
                checkpoints.keep_only(best, least['step'])

    def _all_phases(self) -> bool:
        """Trains the phases in order; returns whether the last one ended."""
        done: list[pipeline.Source] = []
        while not self._over():
            i = phases.locate(self._phases, self._step)
            phase = self._phases[i]
            started = time.monotonic()
            for source in (phase.source, phase.validation):
                source.load(self._keeping_alive)
            self._coordinator.wait_for_examples(self._session.run, i)
            for source in done:
                source.release(self._session.run)
            done = [phase.source, phase.validation]
            self._progress.waited(time.monotonic() - started)
            if self._step == 0:
                self._summarize()
            if not self._phase(i):
                return False
        self._save()
        return True

    def _phase(self, i: int) -> bool:
        """Trains phase `i`; returns False if a signal stopped it."""
        program = self._built.programs[i]
        step_once, seen = map(self._session.make_callable, (program.train, program.seen))
        phase = program.phase
        if program.begin is not None:
            self._session.run(program.begin)
        self._waited = 0.0
        while self._step < phase.stop and not self._stopped_early():
            before = self._step
            scalars = self._scalars_due.due(due.Moment(phase, before, before, 0))
            steps = self._coordinator.lead(
                self._session.run, self.interrupt, i, scalars, self._next_event(phase) - before
            )
            for _ in range(steps):
                if scalars:
                    self._step_with_scalars(program)
                    scalars = False
                else:
                    step_once()
                self._step += 1
                if self.interrupt.number and self._coordinator.replica.workers == 1:
                    break
            self._progress.advance(self._step)
            # The events are decided before the check: those that store variables need it.
            moment = due.Moment(phase, before, self._step, self.interrupt.number)
            events = [event for event in self._events_due if event.when.due(moment)]
            self._refuse_not_finite(program, seen(), bool(events))
            for event in events:
                event.act(program)
            if moment.interrupted:
                print(f'stopped by signal {moment.interrupted} at step {self._step:,}; saved')
                return False
        return True

    def _next_event(self, phase: phases.Phase) -> int:
        """Returns the step before which no event is due, or an earlier one."""
        every = (self._scalars_due, *(event.when for event in self._events_due))
        found = [when.next(phase, self._step) for when in every]
        return min(self._step + _CHUNK, phase.stop, *found)

    def _step_with_scalars(self, program: phases.Program) -> None:
        """Runs a step, and logs its losses, gradient norms and learning rate to TensorBoard."""
        # In one run: the scalars of a second objective depend on the update of the first.
        values, _ = self._session.run([program.scalars, program.train])
        number = 1 + phases.locate(self._phases, self._step)
        events = self._events[TRAIN]
        events.add(summaries.scalars({names.PHASE: number}, ''), self._step)
        events.add(summaries.scalars(values, names.BATCH), self._step)

    def _summarize(self) -> None:
        """Adds histograms and images of the variables of this step."""
        self._events[TRAIN].add(self._session.run(self._built.summary), self._step)

    def _epoch(self, program: phases.Program) -> None:
        """Records an epoch, and stores the model if its validation loss is the lowest so far."""
        phase = program.phase
        if program.waited is not None:
            waited = float(self._session.run(program.waited))
            self._progress.waited(waited - self._waited)
            self._waited = waited
        pace = self._progress.mark(self._step)
        means = self._session.run(program.means)
        validation = phases.validate(self._keeping_alive, program)
        record = {
            'step': self._step,
            'phase': phase.name,
            'epoch': phase.epoch(self._step, self._batch_size),
            **{name: float(value) for name, value in means.items()},
            **{f'{names.VALIDATION}_{name}': value for name, value in validation.items()},
            **{name: round(value, 4) for name, value in pace._asdict().items()},
        }
        self._records.append(record)
        watched = {TRAIN: {**means, **pace._asdict()}, VALIDATION: validation}
        for name, events in self._events.items():
            events.add(summaries.scalars(watched[name], names.EPOCH), self._step)
        self._summarize()
        for events in self._events.values():
            events.flush()
        losses = '  '.join(f'{k} {record[k]:.5f}' for k in record if k.endswith(names.LOSS))
        text = f'{phase.name} {record["epoch"]}/{phase.epochs}  step {self._step:,}  {losses}'
        self._progress.line(self._step, text, pace)
        if self._validated() and self._validated()[-1] is record:
            self._keep_if_best()
        if phase is self._phases[-1] and record['epoch'] in self._options.keep_epochs:
            self._keep(EPOCHS, phase.epochs)
        model = self._built.model
        trouble = model.trouble(means) if isinstance(model, Troubled) else ''
        if trouble:
            record['trouble'] = trouble
            before = self._records[-2] if len(self._records) > 1 else {}
            if 'trouble' not in before:  # once, though it often lasts for epochs
                self._progress.say(f'tfae: warning: {trouble}')
        self._folder.append_metrics(record)
        self._session.run(program.reset)

    def _validated(self) -> list[dict[str, Any]]:
        """Returns the records of the last phase that have a validation loss."""
        last = self._phases[-1].name
        return [r for r in self._records if r.get('phase') == last and _VALIDATION_LOSS in r]

    def _keep_if_best(self) -> None:
        found = [_validation_loss(record) for record in self._validated()]
        if found[-1] <= min(found) and found[-1] < math.inf:
            self._keep(BEST, 1)

    def _keep(self, name: str, count: int) -> None:
        """Stores the model in a folder that holds the newest `count`."""
        folder = self._folder.place(name)
        folder.mkdir(exist_ok=True)
        self._write(self._model_saver, folder, count, None)
        self._unflushed[name] = [*folder.iterdir(), folder, folder.parent]

    def _over(self) -> bool:
        return self._step >= self._phases[-1].stop or self._stopped_early()

    def _stopped_early(self) -> bool:
        """Decides by the records alone, so that a resumed run decides the same."""
        settings = self._experiment.training
        patience = settings.early_stopping_epochs
        # Variables that are frozen for now improve later.
        waits = [each.steps for each in settings.freeze if each.steps < math.inf]
        records = [r for r in self._validated() if r['step'] > max(waits, default=0)]
        found = [_validation_loss(record) for record in records]
        return bool(patience and found) and len(found) - 1 - int(np.argmin(found)) >= patience

    def _checkpoint(self, program: phases.Program) -> None:
        self._save()

    def _save(self) -> None:
        if self._saved_step != self._step:
            # A run that is resumed from this checkpoint does not make these files again.
            unflushed = [*sum(self._unflushed.values(), []), self._folder.place(METRICS)]
            if self._step:
                for events in self._events.values():
                    path = events.mark(self._step)
                    unflushed += [path, path.parent]
            keep = self._options.keep_checkpoints
            self._write(self._saver, self._folder.path, keep, unflushed)
            self._unflushed = {}
        self._saved_step = self._step
        self._checkpoint_due.restart()

    def _write(
        self,
        saver: checkpoints.Saver,
        path: pathlib.Path,
        keep: int,
        unflushed: list[pathlib.Path] | None,
    ) -> None:
        try:
            checkpoints.write(saver, self._session, path, self._step, keep, unflushed)
        except errors.InputError as error:
            if self._saved_step < 0:
                raise
            raise errors.InputError(
                f'{error}; the last complete one is from step {self._saved_step:,}'
            ) from None

    def _refuse_not_finite(self, program: phases.Program, seen: np.ndarray, keeps: bool) -> None:
        """Stops training if a loss is not finite, or a variable that is about to be stored.

        The losses are those before the update, so they say nothing about the variables after it.
        No checkpoint is written, so all that exist are finite.

        Args:
          program: of the phase.
          seen: sums of the losses.
          keeps: whether an event that stores the variables is due.
        Raises: Diverged, which names the losses and variables.
        """
        finite = np.all(np.isfinite(seen))
        if finite and not (keeps and not self._session.run(self._all_finite)):
            return
        means = self._session.run(program.means)
        losses = [f'{name} is {value}' for name, value in means.items() if not np.isfinite(value)]
        with self._built.graph.as_default():
            trained = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
        values = self._session.run({v.op.name: v for v in trained})
        broken = [name for name, value in values.items() if not np.all(np.isfinite(value))]
        raise Diverged(
            f'training stopped at step {self._step} of phase {program.phase.name}: '
            f'{", ".join(losses) or "the losses are finite"}; '
            f'variables that are not finite: {", ".join(broken) or "none"}; '
            f'the last good checkpoint is from step {self._saved_step}; a smaller --learning_rate '
            f'or a --clip_norm may help'
        )

    def _finish(self, loaded: data.DataSet) -> None:
        """Compares the run with a constant prediction, and writes codes for the projector."""
        self._say_nothing_learned(loaded)
        if self._has_codes():
            self._project(loaded)
        self._say_finished()

    def _say_nothing_learned(self, loaded: data.DataSet) -> None:
        """Prints a warning if the last epoch is no better than a constant prediction."""
        model, last = self._built.model, self._phases[-1].name
        records = [record for record in self._records if record.get('phase') == last]
        if not isinstance(model, Baselined) or not records:
            return
        if len(records) == 1 and not len(loaded.validation.images):
            return  # the mean of a first epoch is that of untrained variables too
        split, prefix = loaded.train, ''
        if len(loaded.validation.images):
            split, prefix = loaded.validation, f'{names.VALIDATION}_'
        means = {k.removeprefix(prefix): v for k, v in records[-1].items() if k.startswith(prefix)}
        train, split = self._normalized(loaded.train, split)
        constants = baseline.constants(train, split, loaded.classes)
        if found := model.learned_nothing(means, constants):
            warnings.warn(
                f'the run learned nothing: {found}; another --learning_rate, activation or '
                f'initializer, or more epochs may help',
                stacklevel=2,
            )

    def _normalized(self, train: data.Split, judged: data.Split) -> tuple[data.Split, data.Split]:
        """Returns two splits, possibly one, in the units of the loss."""
        if not self._built.normalization:
            return train, judged
        applied = Normalization(*self._session.run(self._built.normalization))
        made = train._replace(images=applied.normalize(data.pixels(train.images)))
        if judged is train:
            return made, made
        return made, judged._replace(images=applied.normalize(data.pixels(judged.images)))

    def _has_codes(self) -> bool:
        return hasattr(self._built.inference.outputs, names.CODE)

    def _project(self, loaded: data.DataSet) -> None:
        count = min(len(loaded.test.images), summaries.projector_limit(loaded.image_shape))
        images = data.pixels(loaded.test.images[:count])
        labels = loaded.test.labels
        words = None if labels is None else data.class_words(labels[:count], loaded.class_names)
        inference = self._built.inference
        feeds = {inference.images: images}
        codes = graph.in_batches(self._keeping_alive, inference.outputs.code, feeds)
        self._folder.place(PROJECTOR)  # refuses a link
        summaries.write_projector(self._folder.path, codes, words, images)

    def _say_finished(self) -> None:
        stop = self._phases[-1].stop
        early = ''
        if self._step < stop:
            early = (
                f', early: {_VALIDATION_LOSS} did not improve; more epochs would not change this'
            )
        print(f'finished at step {self._step:,} of {stop:,}{early}; run in {self._folder.path}')


def _validation_loss(record: dict[str, Any]) -> float:
    """Returns the validation loss of a record; inf for NaN, which compares with nothing."""
    loss = record[_VALIDATION_LOSS]
    return math.inf if math.isnan(loss) else loss
