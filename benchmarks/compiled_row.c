/* A prototype, for benchmarks/compiled_row.py alone: what a small compiled part would buy.
 *
 * `Watched` calls a function of one argument and packs the dict of floats it was passed, its result
 * and its duration into a ring of rows. `Packer.drain_into` transposes waiting rows into a block, and
 * `summarise` computes sums, counts between edges and the centroids of a sorted block; neither
 * holds the interpreter. It reads dicts of floats only, and knows neither forks nor threads that
 * call at once: a part that is shipped costs more than this.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#define ROOM 65536
#define CELLS 200

typedef struct {
    PyObject_HEAD
    PyObject *names;
    Py_ssize_t fields; /* of a row: the names, the result, the duration */
    double *rows;
    unsigned long head, tail;
} Packer;

static int Packer_init(Packer *self, PyObject *args, PyObject *Py_UNUSED(kwargs)) {
    PyObject *names;
    if (!PyArg_ParseTuple(args, "O!", &PyTuple_Type, &names)) return -1;
    Py_INCREF(names);
    self->names = names;
    self->fields = PyTuple_GET_SIZE(names) + 2;
    self->head = self->tail = 0;
    self->rows = malloc(sizeof(double) * self->fields * ROOM);
    if (self->rows == NULL) PyErr_NoMemory();
    return self->rows == NULL ? -1 : 0;
}

static void Packer_dealloc(Packer *self) {
    Py_XDECREF(self->names);
    free(self->rows);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static double as_double(PyObject *value) {
    if (PyFloat_CheckExact(value)) return PyFloat_AS_DOUBLE(value);
    if (!PyLong_CheckExact(value)) return NAN;
    double number = PyLong_AsDouble(value);
    if (PyErr_Occurred()) PyErr_Clear();
    return number;
}

static void put(Packer *self, PyObject *row, PyObject *result, double seconds) {
    Py_ssize_t names = self->fields - 2;
    if (self->head - self->tail >= ROOM || !PyDict_CheckExact(row)) return;
    double *out = self->rows + (self->head % ROOM) * self->fields;
    for (Py_ssize_t i = 0; i < names; i++) {
        PyObject *value = PyDict_GetItemWithError(row, PyTuple_GET_ITEM(self->names, i));
        if (value == NULL && PyErr_Occurred()) PyErr_Clear();
        out[i] = value == NULL ? NAN : as_double(value);
    }
    out[names] = as_double(result);
    out[names + 1] = seconds;
    self->head++;
}

static PyObject *Packer_drain_into(Packer *self, PyObject *args) {
    Py_buffer block;
    if (!PyArg_ParseTuple(args, "w*", &block)) return NULL;
    Py_ssize_t limit = block.len / (Py_ssize_t)sizeof(double) / self->fields;
    unsigned long tail = self->tail;
    Py_ssize_t rows = (Py_ssize_t)(self->head - tail);
    if (rows > limit) rows = limit;
    double *out = block.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t r = 0; r < rows; r++) {
        double *row = self->rows + ((tail + r) % ROOM) * self->fields;
        for (Py_ssize_t i = 0; i < self->fields; i++) out[i * limit + r] = row[i];
    }
    Py_END_ALLOW_THREADS
    self->tail = tail + rows;
    PyBuffer_Release(&block);
    return PyLong_FromSsize_t(rows);
}

typedef struct {
    PyObject_HEAD
    PyObject *function;
    Packer *packer;
    vectorcallfunc vectorcall;
} Watched;

static PyObject *Watched_vectorcall(
    PyObject *self, PyObject *const *args, size_t flags, PyObject *names) {
    Watched *watched = (Watched *)self;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    PyObject *result = PyObject_Vectorcall(watched->function, args, flags, names);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (end.tv_sec - begin.tv_sec) + 1e-9 * (end.tv_nsec - begin.tv_nsec);
    if (result != NULL) put(watched->packer, args[0], result, seconds);
    return result;
}

static int Watched_init(Watched *self, PyObject *args, PyObject *Py_UNUSED(kwargs)) {
    PyObject *function, *packer;
    if (!PyArg_ParseTuple(args, "OO", &function, &packer)) return -1;
    Py_INCREF(function);
    Py_INCREF(packer);
    self->function = function;
    self->packer = (Packer *)packer;
    self->vectorcall = Watched_vectorcall;
    return 0;
}

static Py_ssize_t count_up_to(const double *ordered, Py_ssize_t rows, double edge) {
    Py_ssize_t low = 0, high = rows;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (ordered[middle] <= edge) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* summarise(ordered, fields, rows, edges, edges a field, out): `out` has 2 + edges + CELLS a field. */
static PyObject *summarise(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer ordered, edges, summary;
    Py_ssize_t fields, rows, width;
    if (!PyArg_ParseTuple(
            args, "y*nny*nw*", &ordered, &fields, &rows, &edges, &width, &summary)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t f = 0; f < fields; f++) {
        const double *values = (double *)ordered.buf + f * rows;
        double *out = (double *)summary.buf + f * (2 + width + CELLS), sum = 0, squares = 0;
        for (Py_ssize_t r = 0; r < rows; r++) sum += values[r];
        for (Py_ssize_t r = 0; r < rows; r++) {
            double deviation = values[r] - sum / rows;
            squares += deviation * deviation;
        }
        *out++ = sum;
        *out++ = squares;
        for (Py_ssize_t e = 0; e < width; e++)
            *out++ = count_up_to(values, rows, ((double *)edges.buf)[f * width + e]);
        Py_ssize_t at = 0;
        for (int cell = 1; cell <= CELLS; cell++) {
            Py_ssize_t end = (Py_ssize_t)(rows * (1 - cos(M_PI * cell / CELLS)) / 2), size = end - at;
            double total = 0;
            for (; at < end; at++) total += values[at];
            *out++ = size > 0 ? total / size : 0;
        }
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&ordered);
    PyBuffer_Release(&edges);
    PyBuffer_Release(&summary);
    Py_RETURN_NONE;
}

static PyMethodDef packer_methods[] = {
    {"drain_into", (PyCFunction)Packer_drain_into, METH_VARARGS, NULL}, {NULL}};
static PyTypeObject PackerType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "compiled_row.Packer",
    .tp_basicsize = sizeof(Packer), .tp_flags = Py_TPFLAGS_DEFAULT, .tp_new = PyType_GenericNew,
    .tp_init = (initproc)Packer_init, .tp_dealloc = (destructor)Packer_dealloc,
    .tp_methods = packer_methods};
static PyTypeObject WatchedType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "compiled_row.Watched",
    .tp_basicsize = sizeof(Watched),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, .tp_new = PyType_GenericNew,
    .tp_init = (initproc)Watched_init, .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Watched, vectorcall)};
static PyMethodDef functions[] = {{"summarise", summarise, METH_VARARGS, NULL}, {NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "compiled_row", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_compiled_row(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyType_Ready(&PackerType) < 0 || PyType_Ready(&WatchedType) < 0)
        return NULL;
    PyModule_AddObject(module, "Packer", (PyObject *)&PackerType);
    PyModule_AddObject(module, "Watched", (PyObject *)&WatchedType);
    return module;
}
