/* A connected UDP socket whose recv and send cost no more than their system calls.

   Same face as socket.socket's recv(size) and send(data), for a non-blocking socket of the caller's: the descriptor is
   borrowed. What is saved is an allocation of the largest datagram, and letting go of the interpreter's lock for a call
   that does not block. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <sys/socket.h>

#define LARGEST 2048

typedef struct {
    PyObject_HEAD
    int fd;
} Port;

static PyObject *port_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    int fd;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "Port(fd) takes no names");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "i", &fd))
        return NULL;
    Port *self = (Port *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->fd = fd;
    return (PyObject *)self;
}

static PyObject *port_recv(Port *self, PyObject *size)
{
    char buffer[LARGEST];
    (void)size;
    ssize_t got = recv(self->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyBytes_FromStringAndSize(buffer, got);
}

static PyObject *port_send(Port *self, PyObject *data)
{
    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "send wants bytes");
        return NULL;
    }
    ssize_t sent = send(self->fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT);
    if (sent < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromSsize_t(sent);
}

static PyMethodDef port_methods[] = {
    {"recv", (PyCFunction)port_recv, METH_O, "The next datagram. OSError."},
    {"send", (PyCFunction)port_send, METH_O, "Send a datagram to the connected peer. OSError."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject PortType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "media._port.Port",
    .tp_basicsize = sizeof(Port),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "A connected, non-blocking UDP socket, by its descriptor.",
    .tp_new = port_new,
    .tp_methods = port_methods,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "media._port", .m_doc = "See _port.pyi.", .m_size = -1,
};

PyMODINIT_FUNC PyInit__port(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL || PyType_Ready(&PortType) < 0 || PyModule_AddObjectRef(made, "Port", (PyObject *)&PortType) < 0)
        return NULL;
    return made;
}
